"""``workspace.runs``: MLflow's runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from perijove.client import displays
from perijove.client.http import HubClient
from perijove.errors import InvalidInput, NotFound, PerijoveError
from perijove.models.runs import EXPORTED, MOST, Artifact, Lineage, RunPage, RunRow
from perijove.models.runs import Run as RunData

if TYPE_CHECKING:
    from pandas import DataFrame

POINTS = 100_000
"""Points of a metric that one answer brings."""
PAGE = 5000


class Run:
    """A run as MLflow had it when it was last read; see `refresh`.

    Lists bring its metrics, parameters and tags; what else there is, is read when it is used.
    """

    def __init__(self, client: HubClient, run_id: str, row: RunRow | None = None) -> None:
        self.client = client
        self.run_id = run_id
        self._row = row
        self._data: RunData | None = None

    def refresh(self) -> Run:
        """Read it again."""
        self._row, self._data = None, None
        _ = self.data
        return self

    @property
    def data(self) -> RunData:
        """Everything about it. Raises NotFound."""
        if self._data is None:
            self._take(self.client.request("GET", self._path()))
        assert self._data is not None
        return self._data

    def _take(self, answer: Any) -> None:
        self._row, self._data = None, RunData.model_validate(answer)
        self.run_id = self._data.run_id  # it may have been the beginning of one

    @property
    def row(self) -> RunRow:
        """What a table shows of it."""
        return self._row or self.data

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def status(self) -> str:
        """RUNNING, SCHEDULED, FINISHED, FAILED or KILLED."""
        return self.row.status

    @property
    def experiment_id(self) -> str:
        return self.row.experiment_id

    @property
    def metrics(self) -> dict[str, float]:
        """The latest value of each metric."""
        return {key: float(value) for key, value in self.row.metrics.items()}

    @property
    def params(self) -> dict[str, str]:
        """The parameters, as the text that MLflow keeps."""
        return self.row.params

    @property
    def tags(self) -> dict[str, str]:
        """All tags, MLflow's and ours, too."""
        return self.data.all_tags

    @property
    def info(self) -> dict[str, Any]:
        """What MLflow calls a run's info, as status, start_time (milliseconds), artifact_uri …"""
        data = self.data
        return {
            "run_id": data.run_id,
            "run_name": data.name,
            "experiment_id": data.experiment_id,
            "status": data.status,
            "start_time": _milliseconds(data.started_at),
            "end_time": _milliseconds(data.ended_at),
            "lifecycle_stage": data.lifecycle_stage.value,
            "artifact_uri": data.artifact_uri,
            "user_id": data.user,
        }

    def history(self, *keys: str, max_points: int = POINTS) -> DataFrame:
        """Histories as a table: key, step, time, value; all metrics if none is named.

        Beyond `max_points` of a metric, points are left out such that its peaks stay.
        """
        import pandas as pd

        wish = {"run_ids": [self.run_id], "keys": list(keys) or None, "max_points": max_points}
        found = self.client.request("POST", "/runs/history", json=wish)[0]["series"]
        parts = [
            pd.DataFrame(
                {
                    "key": series["key"],
                    "step": series["steps"],
                    "time": pd.to_datetime(series["times"], unit="ms", utc=True),
                    "value": [float(value) for value in series["values"]],
                }
            )
            for series in found
        ]
        empty = pd.DataFrame(columns=["key", "step", "time", "value"])
        return pd.concat(parts, ignore_index=True) if parts else empty

    def metric_history(self, key: str) -> list[dict[str, Any]]:
        """``{value, step, timestamp}`` of every point, in step order; times in milliseconds."""
        return self._points(key, None, None)

    def _points(self, key: str, start: int | None, end: int | None) -> list[dict[str, Any]]:
        wish = {"run_ids": [self.run_id], "keys": [key], "max_points": POINTS}
        answer = self.client.request(
            "POST", "/runs/history", json=wish | {"start": start, "end": end}
        )
        for series in answer[0]["series"]:
            steps = series["steps"]
            if series["points"] > len(steps) and steps[0] < steps[-1]:
                middle = (steps[0] + steps[-1]) // 2
                return self._points(key, start, middle) + self._points(key, middle + 1, end)
            columns = zip(series["values"], steps, series["times"], strict=True)
            return [{"value": float(v), "step": s, "timestamp": t} for v, s, t in columns]
        return []

    def artifacts(self, path: str = "") -> list[str]:
        """Paths of files and folders (these end in a slash) in one folder of the run."""
        return [f"{entry.path}{'/' * entry.is_dir}" for entry in self._entries(path)]

    def download(self, to: str | Path = ".", path: str = "") -> Path:
        """Copy a file or folder of the run's artifacts, or all, into the folder `to`; links are
        left out. Returns where it is; a run without artifacts leaves an empty folder.

        Raises
        ------
        InvalidInput: the path leaves the run's artifacts.
        NotFound: the run has no such artifact.
        """
        target = Path(to)
        path = _below(path)
        name = PurePosixPath(path).name
        copied = False
        for file in self._files(path):
            below = PurePosixPath(file).relative_to(path) if path else PurePosixPath(file)
            self._fetch(file, target / name / below)
            copied = True
        if path and not copied:
            raise NotFound(f"The run has no artifact {path[:200]!r}.", field="path")
        if not copied:
            target.mkdir(parents=True, exist_ok=True)
        return target / name

    def _files(self, path: str) -> Iterable[str]:
        if path:
            # a file is an entry of the folder it is in
            parent = str(PurePosixPath(path).parent).removeprefix(".")
            if any(e.path == path and not e.is_dir for e in self._entries(parent)):
                yield path
                return
        for entry in self._entries(path):
            if entry.is_dir:
                yield from self._files(entry.path)
            elif entry.size is not None:
                yield entry.path

    def _entries(self, path: str) -> Iterable[Artifact]:
        page: str | None = None
        while True:
            query = {"path": path, "limit": str(PAGE)} | ({"page": page} if page else {})
            found = self.client.request("GET", f"{self._path()}/artifacts?{urlencode(query)}")
            yield from map(Artifact.model_validate, found["entries"])
            page = found["next"]
            if page is None:
                return

    def _fetch(self, path: str, target: Path) -> None:
        if ".." in target.parts:
            raise InvalidInput(f"The artifact {path} has a name that leaves its folder.")
        self.client.save(target, f"{self._path()}/artifacts/file", path=path)

    def set_tags(self, tags: Mapping[str, str | None]) -> Run:
        """Set tags; None removes one."""
        return self._change({"tags": dict(tags)})

    def rename(self, name: str) -> Run:
        """Give it another name."""
        return self._change({"name": name})

    def describe(self, text: str) -> Run:
        """Give it a description, in Markdown."""
        return self._change({"description": text})

    def delete(self) -> None:
        """Delete it; `restore` brings it back."""
        self.client.request("POST", "/runs/delete", json={"run_ids": [self.run_id]})
        self._row = self._data = None

    def restore(self) -> Run:
        """Bring it back."""
        self.client.request("POST", "/runs/restore", json={"run_ids": [self.run_id]})
        return self.refresh()

    def compare(self, *others: Run | str) -> DataFrame:
        """Parameters and metrics side by side, those that differ first; see `Runs.compare`."""
        ids = [other if isinstance(other, str) else other.run_id for other in others]
        return compared([self, *(Run(self.client, run_id) for run_id in ids)])

    def lineage(self) -> Lineage:
        """Where it came from and what came from it."""
        return Lineage.model_validate(self.client.request("GET", f"{self._path()}/lineage"))

    def _change(self, wish: dict[str, Any]) -> Run:
        self._take(self.client.request("PATCH", self._path(), json=wish))
        return self

    def _path(self) -> str:
        if not re.fullmatch(r"[\w-]{1,64}", self.run_id, re.ASCII):
            raise NotFound(
                f"There is no run {self.run_id[:80]!r}.",
                field="run_id",
                remedy="See: perijove run list EXPERIMENT.",
            )
        return f"/runs/{self.run_id}"

    def __repr__(self) -> str:
        try:
            return f"Run({self.run_id!r}, metrics={self.metrics})"
        except PerijoveError:
            return f"Run({self.run_id!r})"

    def _repr_html_(self) -> str:
        return displays.run(self.row.model_dump(mode="json"))


class RunList(list[Run]):
    """Runs that a search found; `total` counts those that it left out, too."""

    def __init__(self, runs: Iterable[Run] = (), total: int = 0) -> None:
        super().__init__(runs)
        self.total = total

    def dataframe(self) -> DataFrame:
        """A line for each run: attributes, then ``metrics.…``, ``params.…`` and ``tags.…``, named
        and typed as those of ``mlflow.search_runs``; durations are in seconds."""
        import pandas as pd

        rows = [run.row for run in self]
        table: dict[str, Any] = {
            name: [getattr(row, of) for row in rows] for name, of in EXPORTED.items()
        }
        for name in ("start_time", "end_time"):
            table[name] = pd.to_datetime(table[name], utc=True)
        table["duration"] = pd.Series(table["duration"], dtype="float64")
        for kind, empty in (("metrics", float("nan")), ("params", None), ("tags", None)):
            for key in dict.fromkeys(key for row in rows for key in getattr(row, kind)):
                values = (getattr(row, kind).get(key, empty) for row in rows)
                table[f"{kind}.{key}"] = list(map(float, values) if kind == "metrics" else values)
        return pd.DataFrame(table)

    def compare(self) -> DataFrame:
        """Parameters and metrics side by side."""
        return compared(self)

    def _repr_html_(self) -> str:
        return displays.runs([run.row.model_dump(mode="json") for run in self], self.total, None)


class Runs:
    """``workspace.runs``."""

    def __init__(self, client: HubClient, experiments: Callable[[str], str]) -> None:
        """`experiments` gives the id of an experiment that is named."""
        self._client = client
        self._id = experiments

    def search(
        self,
        experiment: str | Sequence[str],
        filter: str = "",
        order_by: str | Sequence[str] = (),
        *,
        columns: Sequence[str] | None = None,
        limit: int | None = 1000,
        offset: int = 0,
        view: str = "active",
    ) -> RunList:
        """Runs of experiments (names or ids) that a filter of MLflow's language is true of; all of
        them with ``limit=None``. Runs that are nested in others count as any.

        ``ws.runs.search("churn", "metrics.auc > 0.9", "metrics.auc DESC").dataframe()``

        Raises
        ------
        NotFound: there is no such experiment.
        InvalidInput: the filter or the order cannot be read.
        """
        named = [experiment] if isinstance(experiment, str) else list(experiment)
        question = {
            "experiment_ids": [self._id(name) for name in named],
            "filter": filter,
            "order_by": [order_by] if isinstance(order_by, str) else list(order_by),
            "columns": None if columns is None else list(columns),
            "view": view,
        }
        rows: dict[str, RunRow] = {}  # runs that begin meanwhile move others to the next page
        while True:
            most = MOST if limit is None else min(MOST, limit)
            window = {"offset": offset, "limit": most}
            answer = self._client.request("POST", "/runs/search", json=question | window)
            page = RunPage.model_validate(answer)
            rows |= {row.run_id: row for row in page.runs}
            offset, limit = offset + most, limit and limit - most
            if limit == 0 or len(page.runs) < most:
                break
        return RunList((Run(self._client, *found) for found in rows.items()), page.total)

    def get(self, run_id: str) -> Run:
        """The run with this id, or with an id that starts so. Raises NotFound."""
        return Run(self._client, run_id).refresh()

    def compare(self, run_ids: Sequence[str]) -> DataFrame:
        """Parameters and metrics of runs side by side."""
        return compared([self.get(run_id) for run_id in run_ids])

    def delete(self, run_ids: Sequence[str]) -> list[str]:
        """Delete runs: all of them, or none if one is not there. Their whole ids."""
        return self._move("delete", run_ids)

    def restore(self, run_ids: Sequence[str]) -> list[str]:
        """Bring them back."""
        return self._move("restore", run_ids)

    def _move(self, verb: str, run_ids: Sequence[str]) -> list[str]:
        wish = {"run_ids": list(run_ids)}
        found: list[str] = self._client.request("POST", f"/runs/{verb}", json=wish)["run_ids"]
        return found


def differences(runs: Sequence[Run]) -> list[tuple[str, list[Any], bool]]:
    """(name, a value of each run or None, do they differ); those that differ first."""
    lines = []
    for kind in ("params", "metrics"):
        for key in sorted({key for run in runs for key in getattr(run, kind)}):
            values = [getattr(run, kind).get(key) for run in runs]
            # NaN is like NaN here
            differ = len({str(value) for value in values}) > 1
            lines.append((f"{kind}.{key}", values, differ))
    return sorted(lines, key=lambda line: not line[2])


def compared(runs: Sequence[Run]) -> DataFrame:
    """A table with a column for each run, named by its id, and ``differs``."""
    return side_by_side(differences(runs), [run.run_id for run in runs])


def side_by_side(lines: Sequence[tuple[str, list[Any], bool]], columns: Sequence[str]) -> DataFrame:
    """Lines as `differences` has them, with a name for each value."""
    import pandas as pd

    table = pd.DataFrame([values for _, values, _ in lines], columns=list(columns))
    table.index = pd.Index([name for name, _, _ in lines], name="name")
    table["differs"] = [differ for _, _, differ in lines]
    return table


def _below(path: str) -> str:
    """A path among a run's artifacts, without what changes nothing in it.

    Raises
    ------
    InvalidInput: it leads out of them.
    """
    found = PurePosixPath(path)
    if found.is_absolute() or ".." in found.parts:
        raise InvalidInput(
            f"The path {path[:200]!r} does not stay below the run's artifacts.",
            field="path",
            remedy="Paths are relative, with forward slashes: notebook/train.ipynb.",
        )
    return "/".join(found.parts)


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
