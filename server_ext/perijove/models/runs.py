"""MLflow's runs, as the studio searches, shows and changes them.

Columns and order are written in MLflow's words: ``metrics.auc``, ``params.`learning rate```,
``tags.owner``, ``attributes.start_time DESC``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from perijove.models.experiments import Lifecycle, View
from perijove.models.names import RunName, TagChanges, Text

RunStatus = Literal["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]
Value = float | Literal["NaN", "Infinity", "-Infinity"]
"""JSON has no numbers for these; MLflow writes them so."""
RunIds = Annotated[list[str], Field(min_length=1, max_length=10_000)]


class RunRow(BaseModel):
    """A run as a line of a table."""

    run_id: str
    name: str
    experiment_id: str
    status: RunStatus
    lifecycle_stage: Lifecycle
    user: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration: float | None = Field(default=None, description="seconds; None while it runs")
    job_id: str | None = None
    parent_run_id: str | None = None
    children: int = Field(default=0, description="active runs nested in it")
    source: str | None = Field(default=None, description="the notebook or script")
    commit: str | None = Field(default=None, description="of the source, in git")
    metrics: dict[str, Value] = Field(default_factory=dict, description="the latest values")
    params: dict[str, str] = Field(default_factory=dict)
    tags: dict[str, str] = Field(default_factory=dict, description="the user's own")


EXPORTED = {
    "run_id": "run_id",
    "name": "name",
    "status": "status",
    "start_time": "started_at",
    "end_time": "ended_at",
    "duration": "duration",
    "user": "user",
    "source": "source",
    "experiment_id": "experiment_id",
    "parent_run_id": "parent_run_id",
}
"""Columns of runs as a DataFrame or CSV, called as in MLflow, and where a row has them."""


MOST = 50_000
"""Runs that one answer brings."""


class RunQuestion(BaseModel, extra="forbid"):
    """Which runs, and in which order.

    ``columns`` limits which metrics, parameters and tags rows bring.
    """

    experiment_ids: list[str] = Field(
        default_factory=list, max_length=100, description="may be left out with `run_ids`"
    )
    filter: Annotated[str, Field(max_length=4000)] = Field(
        default="", description="MLflow's filter language"
    )
    order_by: list[str] = Field(
        default_factory=list, max_length=10, description="default: attributes.start_time DESC"
    )
    view: View = View.ACTIVE
    columns: list[str] | None = Field(default=None, max_length=500, description="None: all")
    parents_only: bool = Field(default=False, strict=True, description="leave nested runs out")
    parent_run_id: str | None = Field(default=None, description="only the runs nested in it")
    run_ids: list[str] | None = Field(default=None, max_length=10_000, description="only these")
    offset: int = Field(default=0, strict=True, ge=0, le=10**7)

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if not self.experiment_ids and self.run_ids is None:
            raise ValueError("name an experiment in experiment_ids, or runs in run_ids")
        return self


class RunSearch(RunQuestion):
    """A question for runs."""

    limit: int = Field(default=100, strict=True, ge=0, le=MOST)


class RunExport(RunQuestion):
    """A question for a table of runs."""

    limit: int | None = Field(default=None, strict=True, ge=0, description="None: all")


class RunPage(BaseModel):
    """An answer to a question for runs."""

    total: int = Field(description="runs that the question is true of")
    nested: int = Field(default=0, description="besides these, what `parents_only` left out")
    running: int = Field(default=0, description="of all these, how many run now")
    offset: int
    runs: list[RunRow]


class Column(BaseModel):
    """A metric, parameter or tag that runs of the experiments have."""

    name: str = Field(description="`metrics.auc`, quoted where MLflow wants it")
    kind: Literal["metric", "param", "tag", "attribute"]
    key: str
    runs: int = Field(description="how many runs have it")
    numeric: bool = False


class DatasetInput(BaseModel):
    """A dataset that a run used."""

    name: str
    digest: str
    source_type: str | None = None
    source: str | None = None
    context: str | None = Field(default=None, description="training, validation …")
    rows: int | None = None
    columns: list[str] = Field(default_factory=list)


class LoggedModelSummary(BaseModel):
    """A model that a run logged."""

    model_id: str
    name: str
    status: str
    artifact_path: str | None = None
    model_type: str | None = None
    created_at: datetime | None = None


class ModelVersionRef(BaseModel):
    """A registered version that came from a run."""

    name: str
    version: str
    aliases: list[str] = Field(default_factory=list)


class SourceInfo(BaseModel):
    """Where a run's code came from."""

    name: str | None = None
    type: str | None = None
    commit: str | None = None
    branch: str | None = None
    repository: str | None = None


class Run(RunRow):
    """Everything about one run, but for its history and its files."""

    description: str | None = Field(default=None, description="Markdown; mlflow.note.content")
    experiment_name: str
    artifact_uri: str | None = None
    all_tags: dict[str, str] = Field(default_factory=dict, description="MLflow's and ours, too")
    source_info: SourceInfo = Field(default_factory=SourceInfo)
    datasets: list[DatasetInput] = Field(default_factory=list)
    logged_models: list[LoggedModelSummary] = Field(default_factory=list)
    model_versions: list[ModelVersionRef] = Field(default_factory=list)
    metric_points: dict[str, int] = Field(
        default_factory=dict, description="points of each metric; system/… are system metrics"
    )


class RunChange(BaseModel, extra="forbid"):
    """What to change; what is left out stays. A tag whose value is null is removed."""

    name: RunName | None = None
    description: Text | None = None
    tags: TagChanges = Field(default_factory=dict)


class RunsWish(BaseModel, extra="forbid"):
    """Runs to delete or to restore."""

    run_ids: RunIds


class RunsDone(BaseModel):
    """What came of it; those that were so already count."""

    run_ids: list[str]


class Series(BaseModel):
    """A metric's history as columns, thinned to what a picture can show.

    Of every bucket of points the first, the lowest, the highest and the last are kept, so spikes
    stay. ``points`` counts what there was before.
    """

    key: str
    points: int
    steps: list[int]
    times: list[int] = Field(description="milliseconds since 1970")
    values: list[Value]


class RunSeries(BaseModel):
    """Histories of one run; ask again with `cursor` for what came since."""

    run_id: str
    series: list[Series]
    cursor: str = Field(description="opaque; pass it as `after`")
    complete: bool = Field(description="the run is over and this is all of it")


class HistoryWish(BaseModel, extra="forbid"):
    """A question for histories of several runs."""

    run_ids: list[str] = Field(min_length=1, max_length=50)
    keys: list[str] | None = Field(default=None, max_length=1000, description="None: all")
    max_points: int = Field(
        default=2000, strict=True, ge=4, le=100_000, description="of each metric"
    )
    after: dict[str, str] = Field(default_factory=dict, description="cursors, by run id")
    axis: Literal["step", "time"] = "step"
    start: float | None = Field(default=None, description="first step, or time in milliseconds")
    end: float | None = None


class Artifact(BaseModel):
    """A file or folder among a run's or a model version's artifacts."""

    path: str
    is_dir: bool
    size: int | None = Field(default=None, description="bytes")


class ArtifactPage(BaseModel):
    """One folder's entries."""

    path: str
    entries: list[Artifact]
    next: str | None = Field(default=None, description="pass it as `page` for more")


class ArtifactPreview(BaseModel):
    """What can be shown of a file. Nothing is ever unpickled for it."""

    path: str
    kind: Literal["text", "json", "markdown", "html", "image", "table", "notebook", "none"]
    size: int
    mime: str | None = None
    text: str | None = Field(default=None, description="text, json, markdown, html, notebook")
    columns: list[str] | None = Field(default=None, description="of a table")
    rows: list[list[str | None]] | None = None
    total_rows: int | None = None
    truncated: bool = False
    message: str | None = Field(default=None, description="why there is nothing to show")


class LineageNode(BaseModel):
    """A thing in a picture of where things came from."""

    id: str
    kind: Literal["dataset", "run", "model", "version", "notebook"]
    label: str
    detail: str | None = None
    ref: dict[str, str] = Field(default_factory=dict, description="run_id, name, version …")


class Lineage(BaseModel):
    """Data, runs and versions, and the arrows between them (pairs of node ids)."""

    nodes: list[LineageNode]
    edges: list[tuple[str, str]]


class NotebookDiff(BaseModel):
    """What differs between the notebooks of two runs: nbdime's own diff, and both notebooks."""

    left: dict[str, object]
    right: dict[str, object]
    diff: list[dict[str, object]]
