"""The contract every tracker keeps, and an in-memory one that can be away.

A plug-in's tests derive from the contract and name what they test::

    @pytest.mark.asyncio
    class TestMyTracker(TrackerContract):
        @pytest_asyncio.fixture
        async def tracker(self):
            made = MyTracker(...)
            yield made
            await made.close()
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from perijove.abc import Tracker
from perijove.errors import InvalidInput, TrackingUnreachable
from perijove.models.jobs import MetricPoint
from perijove.models.logged import LoggedSpool, Refused


@dataclass
class InMemoryRun:
    """A run as it was written."""

    job_id: str
    experiment_id: str
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    artifacts: set[str] = field(default_factory=set)
    metrics: dict[str, list[MetricPoint]] = field(default_factory=dict)
    status: str = "RUNNING"
    end_time: int = 0


class InMemoryTracker(Tracker):
    """See `Tracker`; `away` makes every call fail as an unreachable server does."""

    def __init__(self, assigns_run_ids: bool = True) -> None:
        self._assigns = assigns_run_ids
        self.away = False
        self.names: dict[str, str] = {}
        self.runs: dict[str, InMemoryRun] = {}

    @property
    def tracking_uri(self) -> str:
        return "memory:"

    @property
    def assigns_run_ids(self) -> bool:
        return self._assigns

    async def ready(self) -> bool:
        return not self.away

    async def ensure_experiment(self, name: str, chosen: str | None = None) -> str:
        self._reach()
        return self.names.setdefault(name, chosen or str(len(self.names) + 1))

    async def ensure_run(
        self,
        job_id: str,
        experiment_id: str,
        *,
        run_id: str | None,
        name: str,
        start_time_ms: int,
        tags: Mapping[str, str],
    ) -> str:
        self._reach()
        for known, run in self.runs.items():
            if run.job_id == job_id:
                return known
        if experiment_id not in self.names.values():
            raise InvalidInput(f"No experiment has the id {experiment_id}.", field="experiment_id")
        made = run_id or uuid4().hex
        self.runs[made] = InMemoryRun(job_id, experiment_id, dict(tags))
        return made

    async def log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        run = self._run(run_id)
        run.params = {key: value[:6000] for key, value in params.items()} | run.params

    async def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        self._run(run_id).tags |= tags

    async def send_logged(self, spool: LoggedSpool) -> None:
        self._reach()

        def send(path: str, body: dict[str, Any]) -> None:
            run = self._run(body["run_id"])
            for item in body.get("metrics", []):
                point = MetricPoint(
                    value=item["value"], step=item["step"], timestamp=item["timestamp"]
                )
                run.metrics.setdefault(item["key"], []).append(point)
            for item in body.get("params", []):
                if run.params.setdefault(item["key"], item["value"]) != item["value"]:
                    raise Refused(f"the parameter {item['key']} has another value")
            run.tags.update({item["key"]: item["value"] for item in body.get("tags", [])})
            run.status = body.get("status", run.status)
            run.end_time = body.get("end_time", run.end_time)

        spool.drain(send, lambda _: None)

    async def end_run(
        self, run_id: str, status: str, end_time_ms: int, *, unless_since_ms: int | None = None
    ) -> None:
        run = self._run(run_id)
        is_kept = unless_since_ms is not None and run.end_time >= unless_since_ms
        if not (is_kept and run.status in ("FAILED", "KILLED")):
            run.status, run.end_time = status, end_time_ms

    async def log_artifacts(self, run_id: str, files: Sequence[tuple[Path, str]]) -> None:
        self._run(run_id).artifacts |= {path for file, path in files if file.is_file()}

    async def metrics(self, run_id: str) -> dict[str, list[MetricPoint]]:
        self._reach()
        return dict(self.runs[run_id].metrics) if run_id in self.runs else {}

    async def experiments(self) -> list[tuple[str, str]]:
        self._reach()
        return [(key, name) for name, key in self.names.items()]

    async def close(self) -> None:
        self.away = True

    def _run(self, run_id: str) -> InMemoryRun:
        self._reach()
        if run_id not in self.runs:
            raise InvalidInput(f"There is no run {run_id}.", field="run_id")
        return self.runs[run_id]

    def _reach(self) -> None:
        if self.away:
            raise TrackingUnreachable("The in-memory tracker is away.")


def _now() -> int:
    return time.time_ns() // 1_000_000


class TrackerContract:
    """What `Tracker` promises. A subclass gives the fixture ``tracker``, ready to be used."""

    async def begin(self, tracker: Tracker, job_id: str | None = None) -> str:
        """A run of a new job, in an experiment of its own."""
        experiment = await tracker.ensure_experiment(f"contract-{uuid4().hex}")
        return await tracker.ensure_run(
            job_id or uuid4().hex,
            experiment,
            run_id=uuid4().hex if tracker.assigns_run_ids else None,
            name="contract",
            start_time_ms=_now(),
            tags={"mlflow.user": "somebody"},
        )

    async def test_it_answers(self, tracker: Tracker) -> None:
        assert await tracker.ready()
        assert tracker.tracking_uri

    async def test_an_experiment_is_made_once(self, tracker: Tracker) -> None:
        name = f"contract-{uuid4().hex}"
        made = await tracker.ensure_experiment(name)
        assert await tracker.ensure_experiment(name) == made
        assert (made, name) in await tracker.experiments()

    async def test_an_experiment_gets_the_chosen_id(self, tracker: Tracker) -> None:
        if not tracker.assigns_run_ids:
            return
        name = f"contract-{uuid4().hex}"
        chosen = str(int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]))
        assert await tracker.ensure_experiment(name, chosen) == chosen
        assert await tracker.ensure_experiment(name, "12345") == chosen

    async def test_a_run_is_made_once(self, tracker: Tracker) -> None:
        job_id, experiment = uuid4().hex, await tracker.ensure_experiment(uuid4().hex)
        chosen = uuid4().hex if tracker.assigns_run_ids else None
        made = [
            await tracker.ensure_run(
                job_id, experiment, run_id=chosen, name="n", start_time_ms=_now(), tags={}
            )
            for _ in range(3)
        ]
        assert len(set(made)) == 1
        assert chosen in (None, made[0])

    async def test_another_job_gets_another_run(self, tracker: Tracker) -> None:
        assert await self.begin(tracker) != await self.begin(tracker)

    async def test_a_run_needs_its_experiment(self, tracker: Tracker) -> None:
        try:
            await tracker.ensure_run(
                uuid4().hex, "987654321", run_id=None, name="n", start_time_ms=_now(), tags={}
            )
        except InvalidInput:
            return
        raise AssertionError("a run in an experiment that does not exist was not refused")

    async def test_parameters_may_be_logged_again(self, tracker: Tracker) -> None:
        run_id = await self.begin(tracker)
        await tracker.log_params(run_id, {"rate": "0.1", "long": "x" * 10_000})
        await tracker.log_params(run_id, {"rate": "0.1", "long": "x" * 10_000})

    async def test_a_parameter_logged_otherwise_stays(self, tracker: Tracker) -> None:
        run_id = await self.begin(tracker)
        await tracker.log_params(run_id, {"rate": "0.1"})
        await tracker.log_params(run_id, {"rate": "0.2", "depth": "3"})

    async def test_tags_may_be_set_again(self, tracker: Tracker) -> None:
        run_id = await self.begin(tracker)
        tags = {f"tag{i}": "v" * 10_000 for i in range(120)} | {"odd": "\ud800 \u202e <b>"}
        await tracker.set_tags(run_id, tags)
        await tracker.set_tags(run_id, tags)

    async def test_artifacts_may_be_stored_again(self, tracker: Tracker, tmp_path: Path) -> None:
        run_id = await self.begin(tracker)
        files = []
        for name, size in (("empty", 0), ("small ü#?.txt", 10), ("large", 3_000_000)):
            file = tmp_path / name
            file.write_bytes(b"x" * size)
            files.append((file, f"outputs/{name}"))
        await tracker.log_artifacts(run_id, [*files, (tmp_path / "gone", "outputs/gone")])
        await tracker.log_artifacts(run_id, files)

    async def test_a_run_may_end_again(self, tracker: Tracker) -> None:
        run_id = await self.begin(tracker)
        for status in ("FINISHED", "FAILED", "KILLED", "KILLED"):
            await tracker.end_run(run_id, status, _now())
        await tracker.end_run(run_id, "FINISHED", _now(), unless_since_ms=0)

    async def test_what_is_not_there(self, tracker: Tracker) -> None:
        assert await tracker.metrics(await self.begin(tracker)) == {}
        assert await tracker.metrics(uuid4().hex) == {}
        try:
            await tracker.set_tags(uuid4().hex, {"a": "b"})
        except InvalidInput:
            return
        raise AssertionError("a tag of a run that does not exist was not refused")
