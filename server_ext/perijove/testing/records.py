"""The contract that all readers of experiments and runs keep.

A plug-in's tests derive from it; `records` is what is tested, and `log` writes through MLflow's
REST API (a route below ``/api/2.0/mlflow`` and its body), as any client does.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from perijove.abc.records import Records
from perijove.errors import Conflict, InvalidInput, NotFound
from perijove.models.experiments import Lifecycle, View
from perijove.models.runs import HistoryWish, RunSearch

Log = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
AWKWARD = "a <b>&amp;</b> %2e 'q' \u202eabc é"
"""Names that others may have given."""


class RecordsContract:
    """Derive, and give the fixtures ``records`` and ``log``."""

    async def _experiment(self, records: Records) -> str:
        return await records.create_experiment(f"contract {uuid4().hex}", {"owner": "me"})

    async def _run(self, log: Log, experiment_id: str, start: int, **more: Any) -> str:
        tags = [{"key": key, "value": text} for key, text in more.pop("tags", {}).items()]
        made = await log(
            "runs/create",
            {"experiment_id": experiment_id, "start_time": start, "tags": tags, **more},
        )
        return str(made["run"]["info"]["run_id"])

    async def _search(self, records: Records, **asked: Any) -> list[str]:
        page = json.loads(await records.search(RunSearch.model_validate(asked)))
        return [run["run_id"] for run in page["runs"]]

    async def test_the_life_of_an_experiment(self, records: Records) -> None:
        name = f"contract {uuid4().hex}"
        made = await records.create_experiment(name, {"a": "1"})
        found = await records.experiment(made)
        assert (found.name, found.tags, found.lifecycle_stage) == (name, {"a": "1"}, "active")
        with pytest.raises(Conflict, match="already"):
            await records.create_experiment(name, {})
        await records.rename_experiment(made, f"{name} 2")
        await records.rename_experiment(made, f"{name} 2")
        other = await self._experiment(records)
        with pytest.raises(Conflict, match="already"):
            await records.rename_experiment(other, f"{name} 2")
        await records.tag_experiment(made, {"a": None, "b": "2", "absent": None})
        assert (await records.experiment(made)).tags == {"b": "2"}
        for _ in range(2):
            await records.move_experiment(made, Lifecycle.DELETED)
        assert made not in [e.id for e in await records.experiments(View.ACTIVE)]
        assert made in [e.id for e in await records.experiments(View.DELETED)]
        await records.move_experiment(made, Lifecycle.ACTIVE)
        assert made in [e.id for e in await records.experiments(View.ALL)]
        for nobody in ("987654", "nobody"):
            with pytest.raises((NotFound, InvalidInput)):
                await records.experiment(nobody)

    async def test_search(self, records: Records, log: Log) -> None:
        experiment = await self._experiment(records)
        runs = [await self._run(log, experiment, 1000 + n, run_name=f"r{n}") for n in range(4)]
        for run, value in zip(runs[:3], (0.5, "NaN", 0.7), strict=True):
            metrics = [{"key": "a b", "value": value, "timestamp": 1, "step": 0}]
            params = [{"key": "lr", "value": str(value)}]
            await log("runs/log-batch", {"run_id": run, "metrics": metrics, "params": params})
        ids = {"experiment_ids": [experiment]}
        assert await self._search(records, **ids) == runs[::-1]
        ordered = [runs[2], runs[0], runs[1], runs[3]]
        assert await self._search(records, **ids, order_by=["metrics.`a b` DESC"]) == ordered
        assert await self._search(records, **ids, filter="metrics.`a b` > 0.6") == [runs[2]]
        assert await self._search(records, **ids, filter="params.lr LIKE '0.%'", offset=1) == [
            runs[0]
        ]
        assert await self._search(records, **ids, run_ids=[runs[1], "x"]) == [runs[1]]
        assert await self._search(records, run_ids=[*runs[1:3], "x"]) == runs[2:0:-1]
        assert await self._search(records, run_ids=["x"]) == []
        question = RunSearch(
            experiment_ids=ids["experiment_ids"], columns=["metrics.`a b`"], limit=1, offset=1
        )
        page = json.loads(await records.search(question))
        row = page["runs"][0]
        assert (page["total"], page["running"], page["offset"]) == (4, 4, 1)
        assert (row["metrics"], row["params"], row["name"]) == ({"a b": 0.7}, {}, "r2")
        for broken in ("metrics.a >> 1", "nothing", "params.x = 1 OR 2", "'"):
            with pytest.raises(InvalidInput) as refused:
                await self._search(records, **ids, filter=broken)
            assert refused.value.field == "filter"
        with pytest.raises(InvalidInput) as refused:
            await self._search(records, **ids, order_by=["nothing"])
        assert refused.value.field == "order_by"
        with pytest.raises(InvalidInput) as refused:
            await self._search(records, **ids, columns=["nothing"])
        assert refused.value.field == "columns"

    async def test_nested_runs_and_duration(self, records: Records, log: Log) -> None:
        experiment = await self._experiment(records)
        top = await self._run(log, experiment, 1000)
        children = [
            await self._run(log, experiment, 2000 + n, tags={"mlflow.parentRunId": top})
            for n in range(2)
        ]
        await log("runs/update", {"run_id": top, "status": "FINISHED", "end_time": 9000})
        await log("runs/update", {"run_id": children[0], "status": "FAILED", "end_time": 3000})
        ids = {"experiment_ids": [experiment]}
        assert await self._search(records, **ids, parents_only=True) == [top]
        folded = RunSearch(experiment_ids=[experiment], parents_only=True)
        page = json.loads(await records.search(folded))
        assert (page["total"], page["nested"], page["running"]) == (1, 2, 1)
        assert await self._search(records, **ids, parent_run_id=top) == children[::-1]
        lasted = [top, children[0], children[1]]
        assert await self._search(records, **ids, order_by=["attributes.duration DESC"]) == lasted
        page = json.loads(await records.search(RunSearch(experiment_ids=[experiment], limit=10)))
        shown = {run["run_id"]: run for run in page["runs"]}
        assert (shown[top]["children"], shown[top]["duration"]) == (2, 8.0)
        assert (shown[children[1]]["duration"], page["running"]) == (None, 1)
        # whose parent is deleted is not hidden with it
        await log("runs/delete", {"run_id": top})
        assert await self._search(records, **ids, parents_only=True) == children[::-1]
        gone = await self._search(records, **ids, parents_only=True, view=View.DELETED)
        assert gone == [top]
        everything = await self._search(records, **ids, parents_only=True, view=View.ALL)
        assert everything == [top]

    async def test_a_run_and_its_changes(self, records: Records, log: Log) -> None:
        experiment = await self._experiment(records)
        run = await self._run(
            log, experiment, 1000, run_name=AWKWARD, tags={"mine": "1", "mlflow.user": "u"}
        )
        for value, step in ((1.5, 0), ("Infinity", 1), (-2.5, 2)):
            await log(
                "runs/log-metric",
                {"run_id": run, "key": "m", "value": value, "timestamp": 5, "step": step},
            )
        dataset = {
            "name": "d",
            "digest": "x",
            "source_type": "local",
            "source": "{}",
            "profile": '{"num_rows": 3}',
            "schema": '{"mlflow_colspec": [{"name": "c"}]}',
        }
        context = [{"key": "mlflow.data.context", "value": "training"}]
        await log(
            "runs/log-inputs", {"run_id": run, "datasets": [{"dataset": dataset, "tags": context}]}
        )
        found = await records.run(run)
        assert (found.name, found.tags, found.user) == (AWKWARD, {"mine": "1"}, "u")
        assert (found.metrics, found.metric_points) == ({"m": -2.5}, {"m": 3})
        data = found.datasets[0]
        assert (data.name, data.context, data.rows, data.columns) == ("d", "training", 3, ["c"])
        await records.rename_run(run, "other")
        await records.tag_run(run, {"mine": None, "absent": None, "new": "é"})
        found = await records.run(run)
        assert (found.name, found.tags) == ("other", {"new": "é"})
        columns = {c.name: (c.kind, c.runs) for c in await records.columns([experiment])}
        assert columns == {"metrics.m": ("metric", 1), "tags.new": ("tag", 1)}
        with pytest.raises(NotFound):
            await records.move_runs([run, "0" * 32], Lifecycle.DELETED)
        assert (await records.run(run)).lifecycle_stage is Lifecycle.ACTIVE
        for _ in range(2):
            await records.move_runs([run], Lifecycle.DELETED)
        assert await self._search(records, experiment_ids=[experiment], view="deleted") == [run]
        await records.move_runs([run], Lifecycle.ACTIVE)
        with pytest.raises(NotFound):
            await records.run("0" * 32)

    async def test_histories(self, records: Records, log: Log) -> None:
        experiment = await self._experiment(records)
        run = await self._run(log, experiment, 1000)

        async def write(steps: list[int], values: list[Any]) -> None:
            points = [
                {"key": "loss", "value": value, "timestamp": 10 * step, "step": step}
                for step, value in zip(steps, values, strict=True)
            ]
            await log("runs/log-batch", {"run_id": run, "metrics": points})

        async def ask(**asked: Any) -> dict[str, Any]:
            wish = HistoryWish.model_validate({"run_ids": [run], **asked})
            found: dict[str, Any] = json.loads(await records.history(wish))[0]
            return found

        await write([0, 1, 2, 5, 4], [1.0, "NaN", 99.0, "-Infinity", 0.5])
        first = await ask()
        series = first["series"][0]
        assert (series["key"], series["points"], first["complete"]) == ("loss", 5, False)
        assert series["steps"] == [0, 1, 2, 4, 5]  # steps that went backward are in order
        assert series["values"] == [1.0, "NaN", 99.0, 0.5, "-Infinity"]
        assert (await ask(start=1, end=2))["series"][0]["steps"] == [1, 2]
        assert (await ask(axis="time", end=10))["series"][0]["times"] == [0, 10]
        assert (await ask(keys=["nothing"]))["series"] == []
        since = await ask(after={run: first["cursor"]})
        assert since["series"] == []
        await write(list(range(6, 500)), [0.0] * 200 + [-7.0] + [0.0] * 293)
        since = await ask(after={run: since["cursor"]}, max_points=20)
        series = since["series"][0]
        assert (series["points"], series["steps"][0], series["steps"][-1]) == (494, 6, 499)
        assert len(series["steps"]) <= 20
        assert -7.0 in series["values"]
        assert (await ask())["series"][0]["points"] == 499
        with pytest.raises(NotFound):
            await records.history(HistoryWish(run_ids=["0" * 32]))
        with pytest.raises(InvalidInput):
            await ask(after={run: "no cursor"})
