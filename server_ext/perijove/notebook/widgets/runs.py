"""MLflow's runs as widgets: a table, a run, charts, comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import traitlets as t

from perijove.client import displays
from perijove.client.http import HubClient
from perijove.client.workspace import Workspace
from perijove.errors import InvalidInput, NotFound
from perijove.notebook.widgets.base import PerijoveWidget

POINTS = 1000
"""Points of a metric that a chart draws."""
MOST = 50
"""Runs in one picture."""
SHOWN = 100


class RunTable(PerijoveWidget):
    """The runs of an experiment: filtered, sorted, selected.

    Parameters
    ----------
    experiment: a name or id of MLflow's.
    filter: MLflow's filter language: ``metrics.auc > 0.9``.
    order_by: MLflow's words: ``["metrics.auc DESC"]``.
    columns: ``["metrics.auc", "params.lr"]``; None: those that most runs have.
    """

    view = t.Unicode("RunTable").tag(sync=True)
    experiment = t.Unicode().tag(sync=True)
    filter = t.Unicode("").tag(sync=True)
    order_by = t.List(t.Unicode()).tag(sync=True)
    columns = t.List(t.Unicode(), allow_none=True, default_value=None).tag(sync=True)
    limit = t.Int(SHOWN).tag(sync=True)
    """Runs that it brings; scrolling to the end asks for more."""
    selected = t.List(t.Unicode()).tag(sync=True)
    """Ids of the selected runs, in the order of selection."""
    questions = ("experiment", "filter", "order_by", "columns", "limit")

    def __init__(self, experiment: str, workspace: Workspace | None = None, **traits: Any) -> None:
        super().__init__(workspace, experiment=experiment, **traits)

    def fetch(self, client: HubClient) -> dict[str, Any]:
        found = find_experiment(client, self.experiment)
        question = {
            "experiment_ids": [found["id"]],
            "filter": self.filter,
            "order_by": self.order_by,
            "limit": self.limit,
        }
        if self.columns is not None:
            question["columns"] = self.columns
        page = client.request("POST", "/runs/search", json=question)
        query = {"experiment_id": found["id"]}
        columns = client.request("GET", "/experiments/columns", params=query)
        return {"experiment": found, "page": page, "columns": columns}

    def concerns(self, kind: str, data: Any) -> bool:
        experiment = self.data.get("experiment", {}).get("id")
        if kind == "tracking":
            return bool(data["everything"] or experiment in data["experiments"])
        return super().concerns(kind, data)

    def html(self) -> str:
        page = self.data["page"]
        return displays.runs(page["runs"], page["total"], self.columns)


class _OfRuns(PerijoveWidget):
    """What shows chosen runs."""

    runs = t.List(t.Unicode()).tag(sync=True)
    """Ids of the runs it shows; link it to a table's `selected`."""
    metrics = t.List(t.Unicode(), allow_none=True, default_value=None).tag(sync=True)
    """The metrics it draws; None: all but the system's."""
    axis = t.Enum(["step", "time", "relative"], "step").tag(sync=True)
    log_scale = t.Bool(False).tag(sync=True)
    smoothing = t.Float(0.0, min=0.0, max=0.99).tag(sync=True)
    """The weight of what was before in the exponential average that is drawn."""
    questions = ("runs", "metrics")

    def __init__(
        self,
        runs: Sequence[Any] | Any = (),
        workspace: Workspace | None = None,
        **traits: Any,
    ) -> None:
        super().__init__(workspace, runs=run_ids(runs), **traits)

    def fetch(self, client: HubClient) -> dict[str, Any]:
        if len(self.runs) > MOST:
            raise InvalidInput(
                f"{len(self.runs)} runs are too many for one picture.",
                field="runs",
                remedy=f"Choose at most {MOST}.",
            )
        runs = [client.request("GET", f"/runs/{quote(run, safe='')}") for run in self.runs]
        return {"runs": runs, "history": history(client, runs, self.metrics)}

    def concerns(self, kind: str, data: Any) -> bool:
        if kind == "tracking":
            return bool(data["everything"] or set(self.runs) & set(data["runs"]))
        return super().concerns(kind, data)


class MetricChart(_OfRuns):
    """Metrics of runs over their steps or over time, a chart for each metric.

    Parameters
    ----------
    runs: ids, runs or jobs; one or several.
    metrics: a name or several; None: all but the system's.
    """

    view = t.Unicode("MetricChart").tag(sync=True)

    def __init__(
        self,
        runs: Sequence[Any] | Any = (),
        metrics: str | Sequence[str] | None = None,
        workspace: Workspace | None = None,
        **traits: Any,
    ) -> None:
        named = [metrics] if isinstance(metrics, str) else metrics and list(metrics)
        super().__init__(runs, workspace, metrics=named, **traits)

    def html(self) -> str:
        return displays.charts(self.data["runs"], self.data["history"])


class CompareRuns(_OfRuns):
    """Runs side by side: their metrics in one picture, and where parameters differ.

    Parameters
    ----------
    runs: 2 to 50 ids, runs or jobs.
    """

    view = t.Unicode("CompareRuns").tag(sync=True)
    only_differences = t.Bool(True).tag(sync=True)

    def html(self) -> str:
        charts = displays.charts(self.data["runs"], self.data["history"])
        return charts + displays.differences(self.data["runs"])


class RunView(_OfRuns):
    """A run: its parameters, metrics, tags, models and charts.

    Parameters
    ----------
    run: an id, a run or a job.
    """

    view = t.Unicode("RunView").tag(sync=True)

    def __init__(self, run: Any, workspace: Workspace | None = None, **traits: Any) -> None:
        super().__init__([run] if run else [], workspace, **traits)

    def html(self) -> str:
        runs = self.data["runs"]
        return "".join(displays.run(run) for run in runs) + displays.charts(
            runs, self.data["history"]
        )


LOSSES = ("loss", "error", "rmse", "mse", "mae", "perplexity", "_time", "rank_", "std_")
"""Metrics whose names hold one of these are better when they are lower."""


def best_order(workspace: Workspace, experiment: str) -> list[str]:
    """The order that has the best runs first, by the metric that most runs have.

    Raises
    ------
    NotFound: there is no such experiment.
    """
    client = workspace.client
    query = {"experiment_id": find_experiment(client, experiment)["id"]}
    metrics = [
        column
        for column in client.request("GET", "/experiments/columns", params=query)
        if column["kind"] == "metric" and not column["key"].startswith("system/")
    ]
    is_loss = {
        each["name"]: any(part in each["key"].lower() for part in LOSSES) for each in metrics
    }
    # of metrics that as many runs have, what is wanted rather than what is to be avoided
    metrics.sort(key=lambda each: (-each["runs"], is_loss[each["name"]]))
    return [f"{each['name']} {'ASC' if is_loss[each['name']] else 'DESC'}" for each in metrics[:1]]


def find_experiment(client: HubClient, name: str) -> Any:
    """The experiment of this name or id.

    Raises
    ------
    NotFound: there is none.
    """
    for experiment in client.request("GET", "/experiments"):
        if name in (experiment["name"], experiment["id"]):
            return experiment
    raise NotFound(
        f"There is no experiment {name!r}.",
        field="experiment",
        remedy="See: perijove experiment list.",
    )


def history(
    client: HubClient, runs: Sequence[dict[str, Any]], keys: Sequence[str] | None
) -> list[dict[str, Any]]:
    """Histories of the runs' metrics, thinned to what a picture can show."""
    if keys is None:
        found = {key for run in runs for key in run["metrics"] if not key.startswith("system/")}
        keys = sorted(found)
    if not runs or not keys:
        return []
    ids = [run["run_id"] for run in runs]
    wish = {"run_ids": ids, "keys": list(keys), "max_points": POINTS}
    answer: list[dict[str, Any]] = client.request("POST", "/runs/history", json=wish)
    return answer


def run_ids(runs: Any) -> list[str]:
    """Ids of what a user means by runs: ids, runs, jobs, one or several."""
    several = runs if isinstance(runs, (list, tuple)) else [runs]
    return [str(run if isinstance(run, str) else run.run_id) for run in several if run]
