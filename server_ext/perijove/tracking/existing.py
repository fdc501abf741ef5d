"""Experiments and runs of any MLflow server, over its REST API alone.

What the API cannot answer in one question is worked out here from all runs that the filter is
true of: slower than inside MLflow's own process (see `records.py`), and the same answers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from perijove.abc.records import Records
from perijove.errors import InvalidInput, NotFound
from perijove.models.events import TrackingChange
from perijove.models.experiments import Experiment, Lifecycle, View
from perijove.models.runs import Column, HistoryWish, Run, RunPage, RunRow, RunSearch
from perijove.tracking.columns import (
    NOTE,
    PARENT,
    chosen,
    column_name,
    is_number,
    is_own,
    moment,
    row,
    value,
)
from perijove.tracking.connection import Connection
from perijove.tracking.order import own_order
from perijove.tracking.refused import about, check_times, part, said, taken
from perijove.tracking.rundetails import read_run
from perijove.tracking.watch import Watch

PAGE = 5000
POINTS_PAGE = 25_000
EXPERIMENTS_PAGE = 1000
AT_ONCE = 8
"""Requests to a server at the same time."""
VIEWS = {View.ACTIVE: "ACTIVE_ONLY", View.DELETED: "DELETED_ONLY", View.ALL: "ALL"}
T = TypeVar("T")


class RestRecords(Records):
    """See `Records`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._watch = Watch(connection)

    # experiments

    async def experiments(self, view: View, filter: str = "") -> list[Experiment]:
        check_times(filter)
        listed: list[Experiment] = []
        page = None
        while True:
            body = {
                "max_results": EXPERIMENTS_PAGE,
                "view_type": VIEWS[view],
                "filter": filter,
                "order_by": ["last_update_time DESC", "experiment_id DESC"],
            }
            with about("experiment", filter, field="filter"):
                found = await self._post("experiments/search", body | _page(page))
            listed += [_experiment(item) for item in found.get("experiments", [])]
            page = found.get("next_page_token")
            if not page:
                return listed

    async def experiment(self, experiment_id: str) -> Experiment:
        with about("experiment", experiment_id):
            found = await self._connection.get("experiments/get", {"experiment_id": experiment_id})
        return _experiment(found["experiment"])

    async def create_experiment(self, name: str, tags: Mapping[str, str]) -> str:
        with about("experiment", name):
            made = await self._post("experiments/create", {"name": name, "tags": _listed(tags)})
        return str(made["experiment_id"])

    async def rename_experiment(self, experiment_id: str, name: str) -> None:
        # MLflow answers a name that is taken with its database's own words
        with suppress(NotFound), about("experiment", name):
            found = await self._connection.get("experiments/get-by-name", {"experiment_name": name})
            if found["experiment"]["experiment_id"] != experiment_id:
                raise taken(name)
        with about("experiment", experiment_id):
            await self._post(
                "experiments/update", {"experiment_id": experiment_id, "new_name": name}
            )

    async def tag_experiment(self, experiment_id: str, tags: Mapping[str, str | None]) -> None:
        for key, text in tags.items():
            body = {"experiment_id": experiment_id, "key": key}
            with about("experiment", experiment_id):
                if text is not None:
                    await self._post("experiments/set-experiment-tag", body | {"value": text})
                    continue
            with suppress(NotFound), about("tag", key):
                await self._post("experiments/delete-experiment-tag", body)

    async def move_experiment(self, experiment_id: str, stage: Lifecycle) -> None:
        if (await self.experiment(experiment_id)).lifecycle_stage is stage:
            return
        verb = "delete" if stage is Lifecycle.DELETED else "restore"
        with about("experiment", experiment_id):
            await self._post(f"experiments/{verb}", {"experiment_id": experiment_id})

    async def columns(self, experiment_ids: Sequence[str]) -> list[Column]:
        counts: dict[tuple[str, str], int] = {}
        numeric: dict[tuple[str, str], bool] = {}
        async for run in self._all(experiment_ids, View.ACTIVE):
            data = run["data"]
            for kind in ("metrics", "params", "tags"):
                for item in data.get(kind, []):
                    if kind == "tags" and not is_own(item["key"]):
                        continue
                    key = kind, item["key"]
                    counts[key] = counts.get(key, 0) + 1
                    is_one = kind == "metrics" or is_number(item.get("value"))
                    numeric[key] = numeric.get(key, True) and is_one
        found = [
            Column.model_validate(
                {
                    "name": column_name(kind, key),
                    "kind": kind.removesuffix("s"),
                    "key": key,
                    "runs": number,
                    "numeric": numeric[kind, key],
                }
            )
            for (kind, key), number in counts.items()
        ]
        return sorted(found, key=lambda column: (-column.runs, column.name))

    # runs

    async def search(self, question: RunSearch) -> bytes:
        wanted = chosen(question.columns)
        only = None if question.run_ids is None else set(question.run_ids)
        experiments = question.experiment_ids or await self._experiments_of(question.run_ids or [])
        found: list[dict[str, Any]] = []
        parents: dict[str, str] = {}
        children: dict[str, int] = {}
        theirs, sort = own_order(question.order_by)
        async for run in self._all(experiments, question.view, question.filter, theirs):
            parent = _tags(run).get(PARENT)
            run_id = run["info"]["run_id"]
            if only is not None and run_id not in only:
                continue
            if question.parent_run_id is not None and parent != question.parent_run_id:
                continue
            found.append(run)
            if parent is not None:
                parents[run_id] = parent
        left_out: list[dict[str, Any]] = []
        if question.parents_only and parents:
            # who has no parent there would be seen nowhere
            is_part = question.filter.strip() or question.parent_run_id or only is not None
            whole = self._all(experiments, question.view)
            those = [run async for run in whole] if is_part else found
            ids = {run["info"]["run_id"] for run in those}
            below = {run_id for run_id, parent in parents.items() if parent in ids}
            left_out = [run for run in found if run["info"]["run_id"] in below]
            found = [run for run in found if run["info"]["run_id"] not in below]
        found = sort(found)
        shown = found[question.offset : question.offset + question.limit]
        if shown:
            async for run in self._all(experiments, View.ACTIVE):
                if (parent := _tags(run).get(PARENT)) is not None:
                    children[parent] = children.get(parent, 0) + 1
        rows = []
        for run in shown:
            made = run_row(run)
            made["children"] = children.get(made["run_id"], 0)
            for kind, keys in (("metrics", wanted.metrics), ("params", wanted.params)):
                if keys is not None:
                    made[kind] = {k: v for k, v in made[kind].items() if k in keys}
            made["tags"] = {k: v for k, v in _tags(run).items() if wanted.shows(k)}
            rows.append(RunRow.model_validate(made))
        page = RunPage(
            total=len(found),
            nested=len(left_out),
            running=sum(run["info"]["status"] == "RUNNING" for run in found + left_out),
            offset=question.offset,
            runs=rows,
        )
        return page.model_dump_json().encode()

    async def _experiments_of(self, run_ids: Sequence[str]) -> list[str]:
        found: set[str] = set()

        async def look(run_id: str) -> None:
            with suppress(NotFound, InvalidInput):
                run = (await self._connection.get("runs/get", {"run_id": run_id}))["run"]
                found.add(run["info"]["experiment_id"])

        await _gathered(look, run_ids)
        return sorted(found)

    async def starting(self, prefix: str) -> list[str]:
        found: list[str] = []
        known = [one.id for one in await self.experiments(View.ALL)]
        text = f"attributes.run_id LIKE '{prefix}%'"
        async for run in self._all(known, View.ALL, text, limit=2):
            found.append(run["info"]["run_id"])
            if len(found) == 2:
                break
        return found

    async def run(self, run_id: str) -> Run:
        with about("run", run_id):
            found = await self._connection.get("runs/get", {"run_id": run_id})
        run = found["run"]
        experiment_id = run["info"]["experiment_id"]
        nested = RunSearch(
            experiment_ids=[experiment_id], parent_run_id=run_id, limit=0, columns=[]
        )
        experiment, details, children, points = await asyncio.gather(
            self._connection.get("experiments/get", {"experiment_id": experiment_id}),
            read_run(self._connection, run),
            self.search(nested),
            self.points(run_id, [item["key"] for item in run["data"].get("metrics", [])]),
        )
        tags = _tags(run)
        return Run.model_validate(
            run_row(run)
            | details
            | {
                "tags": {key: text for key, text in tags.items() if is_own(key)},
                "children": json.loads(children)["total"],
                "description": tags.get(NOTE),
                "experiment_name": experiment["experiment"]["name"],
                "artifact_uri": run["info"].get("artifact_uri"),
                "all_tags": tags,
                "metric_points": points,
            }
        )

    async def artifact_root(self, run_id: str) -> str:
        with about("run", run_id):
            found = await self._connection.get("runs/get", {"run_id": run_id})
        return str(found["run"]["info"].get("artifact_uri") or "")

    async def points(self, run_id: str, keys: Sequence[str]) -> dict[str, int]:
        """How many points each metric has."""

        async def count(key: str) -> int:
            return len(await self._points(run_id, key))

        return dict(zip(keys, await _gathered(count, keys), strict=True))

    async def history(self, wish: HistoryWish) -> bytes:
        # numpy is in the hub only where it has to do this work
        from perijove.tracking.thinning import from_points, shown, since_counts

        answers = []
        for run_id in wish.run_ids:
            with about("run", run_id, field="run_ids"):
                run = (await self._connection.get("runs/get", {"run_id": run_id}))["run"]
            keys = sorted(item["key"] for item in run["data"].get("metrics", []))
            if wish.keys is not None:
                keys = [key for key in wish.keys if key in keys]
            read = await _gathered(partial(self._points, run_id), keys)
            columns = {k: from_points(points) for k, points in zip(keys, read, strict=True)}
            columns, cursor = since_counts(columns, wish.after.get(run_id))
            answers.append(
                {
                    "run_id": run_id,
                    "series": list(shown(columns, wish)),
                    "cursor": cursor,
                    "complete": run["info"]["status"] not in ("RUNNING", "SCHEDULED"),
                }
            )
        return json.dumps(answers, separators=(",", ":")).encode()

    async def _points(self, run_id: str, key: str) -> list[dict[str, Any]]:
        points: list[dict[str, Any]] = []
        page = None
        while True:
            query = {"run_id": run_id, "metric_key": key, "max_results": str(POINTS_PAGE)}
            with about("run", run_id):
                found = await self._connection.get("metrics/get-history", query | _page(page))
            points += found.get("metrics", [])
            page = found.get("next_page_token")
            if not page:
                return points

    async def rename_run(self, run_id: str, name: str) -> None:
        with about("run", run_id):
            await self._post("runs/update", {"run_id": run_id, "run_name": name})

    async def tag_run(self, run_id: str, tags: Mapping[str, str | None]) -> None:
        given = _listed({key: text for key, text in tags.items() if text is not None})
        for start in range(0, len(given), 100):
            with about("run", run_id):
                await self._post(
                    "runs/log-batch", {"run_id": run_id, "tags": given[start : start + 100]}
                )
        for key in (key for key, text in tags.items() if text is None):
            with suppress(NotFound), about("tag", key):
                await self._post("runs/delete-tag", {"run_id": run_id, "key": key})

    async def move_runs(self, run_ids: Sequence[str], stage: Lifecycle) -> None:
        verb = "delete" if stage is Lifecycle.DELETED else "restore"

        async def known(run_id: str) -> None:
            with about("run", run_id, field="run_ids"):
                await self._connection.get("runs/get", {"run_id": run_id})

        async def move(run_id: str) -> None:
            with about("run", run_id, field="run_ids"):
                await self._post(f"runs/{verb}", {"run_id": run_id})

        for step in (known, move):
            await _gathered(step, run_ids)

    async def changes(self) -> TrackingChange | None:
        return await self._watch.look()

    async def _all(
        self,
        experiment_ids: Sequence[str],
        view: View,
        text: str = "",
        order_by: Sequence[str] = (),
        limit: int = PAGE,
    ) -> AsyncIterator[dict[str, Any]]:
        check_times(text)
        page = None
        body = {
            "experiment_ids": list(experiment_ids),
            "filter": text,
            "order_by": list(order_by),
            "run_view_type": VIEWS[view],
            "max_results": limit,
        }
        while True:
            try:
                found = await self._post("runs/search", body | _page(page))
            except InvalidInput as error:
                raise InvalidInput(said(error), field=part(error, text, order_by)) from None
            for run in found.get("runs", []):
                run.setdefault("data", {})
                yield run
            page = found.get("next_page_token")
            if not page:
                return

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._connection.post(path, body)


def run_row(run: Mapping[str, Any]) -> dict[str, Any]:
    """A `RunRow` of a run as MLflow's API has it, with all metrics and parameters."""
    info, data = run["info"], run.get("data", {})
    made = row(
        info["run_id"],
        info["experiment_id"],
        info.get("run_name"),
        info["status"],
        info.get("lifecycle_stage", "active"),
        info.get("user_id"),
        _number(info.get("start_time")),
        _number(info.get("end_time")),
        _tags(run),
    )
    made["metrics"] = {m["key"]: value(float(m["value"])) for m in data.get("metrics", [])}
    made["params"] = {p["key"]: p.get("value", "") for p in data.get("params", [])}
    return made


def _number(found: Any) -> int | None:
    return None if found is None else int(found)


def _tags(run: Mapping[str, Any]) -> dict[str, str]:
    return {t["key"]: t.get("value", "") for t in run.get("data", {}).get("tags", [])}


def _experiment(found: Mapping[str, Any]) -> Experiment:
    tags = {tag["key"]: tag.get("value", "") for tag in found.get("tags", [])}
    return Experiment.model_validate(
        {
            "id": found["experiment_id"],
            "name": found["name"],
            "lifecycle_stage": found.get("lifecycle_stage", "active"),
            "description": tags.get(NOTE),
            "tags": tags,
            "artifact_location": found.get("artifact_location"),
            "created_at": moment(_number(found.get("creation_time"))),
            "updated_at": moment(_number(found.get("last_update_time"))),
        }
    )


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": text} for key, text in tags.items()]


def _page(token: str | None) -> dict[str, str]:
    return {"page_token": token} if token else {}


async def _gathered(call: Callable[[str], Awaitable[T]], items: Sequence[str]) -> list[T]:
    """The results of calls of which only some are under way at the same time."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(item: str) -> T:
        async with free:
            return await call(item)

    return await asyncio.gather(*map(one, items))
