"""The life of jobs, with everything around the services in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import JsonValue

from conftest import write_notebook
from perijove.errors import Conflict, InvalidInput, NotFound, TrackingUnreachable
from perijove.models.events import EventType, SpoolEvent
from perijove.models.jobs import FailureReason, Job, JobState, JobSubmission, Rerun
from perijove.models.logged import LOGGED, metric_record, metric_start, record
from perijove.models.workspaces import WorkspaceConfig, WorkspaceFolder
from perijove.services.attemptspecs import AttemptSpecs
from perijove.services.broker import Broker
from perijove.services.catalog import Catalog
from perijove.services.environments import Environments
from perijove.services.events import EventLogs
from perijove.services.jobs import JobService
from perijove.services.kernelspecs import KernelFolder, Kernelspecs
from perijove.services.recorder import RETRY_FIRST, Recorder
from perijove.services.supervisor import Supervisor
from perijove.store.database import open_database
from perijove.store.jobs import SqlJobStore
from perijove.testing.environments import InMemoryBuilder, InMemoryEnvironments
from perijove.testing.targets import InMemoryTarget
from perijove.testing.trackers import InMemoryTracker

pytestmark = pytest.mark.asyncio


class NoTasks:
    async def run(self, task: str, args: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        Path(str(args["html"])).write_text("<html>")
        return {}


class World:
    """Services over one folder; `restarted` gives the next hub's."""

    def __init__(
        self,
        path: Path,
        target: InMemoryTarget,
        tracker: InMemoryTracker,
        builder: InMemoryBuilder,
        built: InMemoryEnvironments,
    ) -> None:
        self.path, self.target, self.tracker, self.builder = path, target, tracker, builder
        folder = WorkspaceFolder(path, "default")
        folder.jobs.mkdir(parents=True, exist_ok=True)
        broker = Broker()
        self.logs = EventLogs(folder)
        self.store = SqlJobStore(open_database(folder.database, folder.backups))
        self.recorder = Recorder(folder, self.store, self.logs, broker, tracker, NoTasks())
        catalog = Catalog(builder, Kernelspecs(True), KernelFolder(folder.environments))
        self.supervisor = Supervisor(
            folder=folder,
            store=self.store,
            logs=self.logs,
            broker=broker,
            targets={"local": target},
            specs=AttemptSpecs(folder, self.store, tracker, catalog, "key"),
            experiment_id=self.recorder.experiment_id,
            on_ended=self.recorder.wake,
            environments=catalog,
        )
        self.jobs = JobService(
            folder, WorkspaceConfig(), self.store, self.logs, broker, catalog,
            self.supervisor, self.recorder, tracker,
        )  # fmt: skip
        self.environments = Environments(
            built, catalog, self.store, broker, "me", changed=self.supervisor.wake
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self.environments.start()
        await self.supervisor.start()
        self._tasks = [
            asyncio.create_task(self.supervisor.run()),
            asyncio.create_task(self.recorder.run()),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.recorder.close()
        await self.supervisor.close()
        await self.environments.close()

    def submission(self, **fields: object) -> JobSubmission:
        write_notebook(self.path / "n.ipynb", "x = 1", "x + 1")
        given = {"path": "n.ipynb", "root": str(self.path), "id": str(uuid4())}
        return JobSubmission.model_validate(given | fields)

    async def submit(self, **fields: object) -> Job:
        job, _ = await self.jobs.submit(self.submission(**fields))
        return job

    async def until(self, job_id: str, *states: JobState) -> Job:
        for _ in range(500):
            job = self.store.get(job_id)
            assert job is not None
            if job.state in states:
                return job
            await asyncio.sleep(0.005)
        raise AssertionError(f"{job.state} is none of {states}")

    async def launched(self, job_id: str, attempt: int = 1) -> Job:
        for _ in range(500):
            if (job_id, attempt) in self.target.running:
                return self.jobs.get(job_id)
            await asyncio.sleep(0.005)
        raise AssertionError("not launched")

    def states(self, job_id: str) -> list[str]:
        events = map(json.loads, self.logs.read(job_id, 0)[0])
        return [event["data"]["state"] for event in events if event["type"] == "state"]


@asynccontextmanager
async def world(
    path: Path,
    target: InMemoryTarget | None = None,
    tracker: InMemoryTracker | None = None,
    builder: InMemoryBuilder | None = None,
    built: InMemoryEnvironments | None = None,
) -> AsyncIterator[World]:
    made = World(
        path,
        target or InMemoryTarget(),
        tracker or InMemoryTracker(),
        builder or InMemoryBuilder(path),
        built or InMemoryEnvironments(),
    )
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def test_a_job_runs_and_is_recorded(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        job = await w.submit(parameters={"lr": 0.5, "names": ["a"]}, tags={"team": "x"})
        await w.launched(job.id)
        await w.target.report(
            job.id,
            1,
            (EventType.ATTEMPT, {"attempt": 1, "warm": True}),
            (EventType.NOTEBOOK, {"cells": [], "metadata": {}, "total": 2}),
        )
        running = await w.until(job.id, JobState.RUNNING)
        assert running.started_at is not None
        await w.target.report(job.id, 1, (EventType.CELL_FINISHED, {"index": 0}))
        await w.target.finish(job.id, 1)
        ended = await w.jobs.wait(job.id, 5, "recorded")
        assert ended.state is JobState.SUCCEEDED
        assert ended.progress.done == 1
        assert w.states(job.id) == ["queued", "preparing", "running", "succeeded"]
        [(run_id, run)] = w.tracker.runs.items()
        assert run_id == job.run_id
        assert run.status == "FINISHED"
        assert run.params == {"lr": "0.5", "names": '["a"]'}
        assert run.tags["perijove.job_id"] == job.id
        assert run.tags["team"] == "x"
        assert "snapshot/n.ipynb" in run.artifacts


async def test_the_same_id_is_one_job(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        submission = w.submission()
        answers = await asyncio.gather(*(w.jobs.submit(submission) for _ in range(8)))
        assert len({job.id for job, _ in answers}) == 1
        assert sum(new for _, new in answers) == 1
        assert len(w.store.page()) == 1


async def test_slots_bound_what_runs_and_the_queue_is_in_order(tmp_path: Path) -> None:
    async with world(tmp_path, InMemoryTarget(slots=2)) as w:
        jobs = [await w.submit() for _ in range(4)]
        await w.launched(jobs[1].id)
        await asyncio.sleep(0.05)
        assert set(w.target.running) == {(jobs[0].id, 1), (jobs[1].id, 1)}
        await w.target.finish(jobs[1].id, 1)
        await w.launched(jobs[2].id)
        assert (jobs[3].id, 1) not in w.target.running


async def test_a_failed_attempt_is_tried_again_as_often_as_asked(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        job = await w.submit(retries=1)
        for attempt in (1, 2):
            await w.launched(job.id, attempt)
            await w.target.finish(job.id, attempt, JobState.FAILED, FailureReason.KERNEL_DIED)
        ended = await w.until(job.id, JobState.FAILED)
        assert (ended.attempt, ended.reason) == (2, FailureReason.KERNEL_DIED)
        await w.jobs.wait(job.id, 5, "recorded")
        assert len(w.tracker.runs) == 1


async def test_what_nobody_canceled_is_lost_and_tried_again(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        job = await w.submit(retries=1)
        for attempt in (1, 2):
            await w.launched(job.id, attempt)
            await w.target.finish(job.id, attempt, JobState.CANCELED)
        ended = await w.until(job.id, JobState.FAILED)
        assert (ended.attempt, ended.reason) == (2, FailureReason.LOST)


class Holding(InMemoryTarget):
    """Nobody takes its attempts, until the test says so."""

    untaken = True

    def is_untaken(self, folder: Path) -> bool:
        return self.untaken


async def test_what_is_taken_back_waits_and_what_has_begun_is_canceled(tmp_path: Path) -> None:
    async with world(tmp_path, target := Holding()) as w:
        job = await w.submit()
        first = await w.launched(job.id)
        assert not w.supervisor.has_begun(first)
        with w.supervisor.hold("local"):
            await w.supervisor.recall(first)
            waits = w.jobs.get(job.id)
            assert (waits.state, waits.attempt) == (JobState.QUEUED, 0)
            assert not w.supervisor.folder.attempt(job.id, 1).exists()
            target.launched.clear()
        again = await w.launched(job.id)
        assert again.attempt == 1
        target.untaken = False
        assert w.supervisor.has_begun(again)
        with w.supervisor.hold("local"):
            await w.supervisor.recall(again)
            assert w.jobs.get(job.id).state is JobState.CANCELED


async def test_canceled_in_the_queue_and_while_running(tmp_path: Path) -> None:
    async with world(tmp_path, InMemoryTarget(slots=1)) as w:
        running, queued = await w.submit(), await w.submit()
        await w.launched(running.id)
        assert (await w.jobs.cancel(queued.id)).state is JobState.CANCELED
        await w.jobs.cancel(running.id)
        ended = await w.until(running.id, JobState.CANCELED)
        assert (queued.id, 1) not in w.target.launched
        assert (await w.jobs.cancel(running.id)) == w.store.get(ended.id)


async def test_the_first_verdict_stays(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        job = await w.submit()
        await w.launched(job.id)
        await w.target.finish(job.id, 1)
        await w.until(job.id, JobState.SUCCEEDED)
        await w.jobs.cancel(job.id)
        await w.supervisor.ended(job.id, 1)
        assert w.states(job.id)[-1] == "succeeded"
        assert w.states(job.id).count("succeeded") == 1


async def test_mlflow_away_delays_only_the_record(tmp_path: Path) -> None:
    tracker = InMemoryTracker()
    tracker.away = True
    async with world(tmp_path, tracker=tracker) as w:
        jobs = [await w.submit() for _ in range(5)]
        for job in jobs:
            await w.launched(job.id)
            await w.target.finish(job.id, 1)
            assert (await w.until(job.id, JobState.SUCCEEDED)).recorded is False
        assert w.store.outbox_size() == 5
        tracker.away = False
        for job in jobs:
            assert (await w.jobs.wait(job.id, 10, "recorded")).recorded
        assert {run.job_id for run in tracker.runs.values()} == {job.id for job in jobs}
        assert {run.status for run in tracker.runs.values()} == {"FINISHED"}


@pytest.mark.parametrize(("said", "kept"), [("RUNNING", "FINISHED"), ("FAILED", "FAILED")])
async def test_what_a_runner_could_not_send_is_recorded_first(
    tmp_path: Path, said: str, kept: str
) -> None:
    tracker = InMemoryTracker()
    async with world(tmp_path, tracker=tracker) as w:
        job = await w.submit()
        await w.launched(job.id)
        spool = WorkspaceFolder(tmp_path, "default").attempt(job.id, 1) / LOGGED
        run_id = str(w.store.get(job.id).run_id)  # type: ignore[union-attr]
        start = metric_start(run_id, "loss")
        lines = [metric_record(start, i / 2, 5, i) for i in range(2500)]
        lines.append(record("u", run_id, {"status": said}))
        spool.write_text("".join(lines))
        await w.target.finish(job.id, 1)
        assert (await w.jobs.wait(job.id, 10, "recorded")).recorded
        run = tracker.runs[run_id]
        assert [point.step for point in run.metrics["loss"]] == list(range(2500))
        assert run.status == kept
        assert not spool.exists()


@pytest.mark.parametrize(("said", "kept"), [("RUNNING", "FINISHED"), ("FAILED", "FAILED")])
async def test_what_an_attempt_before_called_a_failure_is_none(
    tmp_path: Path, said: str, kept: str
) -> None:
    async with world(tmp_path) as w:
        job = await w.submit(retries=1)
        for attempt, status in ((1, "FAILED"), (2, said)):
            await w.launched(job.id, attempt)
            run_id = str(w.jobs.get(job.id).run_id)
            now = round(datetime.now(UTC).timestamp() * 1000)
            lines = metric_record(metric_start(run_id, "loss"), 0.5, now, attempt)
            if status == "FAILED":
                lines += record("u", run_id, {"status": status, "end_time": now})
            spool = WorkspaceFolder(tmp_path, "default").attempt(job.id, attempt) / LOGGED
            spool.write_text(lines)
            state = JobState.FAILED if attempt == 1 else JobState.SUCCEEDED
            await w.target.finish(job.id, attempt, state)
        assert (await w.jobs.wait(job.id, 10, "recorded")).state is JobState.SUCCEEDED
        assert w.tracker.runs[run_id].status == kept


async def test_the_next_hub_goes_on(tmp_path: Path) -> None:
    target, tracker = InMemoryTarget(slots=2), InMemoryTracker()
    async with world(tmp_path, target, tracker) as w:
        jobs = [await w.submit() for _ in range(3)]
        await w.launched(jobs[1].id)
    async with world(tmp_path, target, tracker) as w:
        await w.target.finish(jobs[0].id, 1)
        await w.launched(jobs[2].id)
        for job in jobs[1:]:
            await w.target.finish(job.id, 1)
        for job in jobs:
            assert (await w.jobs.wait(job.id, 5, "recorded")).state is JobState.SUCCEEDED
        assert len(target.launched) == 3
        assert len(tracker.runs) == 3


async def test_what_a_killed_hub_had_kept_but_not_counted_counts(tmp_path: Path) -> None:
    target, tracker = InMemoryTarget(), InMemoryTracker()
    async with world(tmp_path, target, tracker) as w:
        job = await w.submit()
        await w.launched(job.id)
        cell = {"index": 0, "status": "ok"}
        reported: list[tuple[EventType, dict[str, Any]]] = [
            (EventType.ATTEMPT, {"attempt": 1}),
            (EventType.NOTEBOOK, {"total": 2}),
            (EventType.CELL_FINISHED, cell),
            (EventType.CELL_FINISHED, cell | {"index": 1}),
        ]
        now = datetime.now(UTC)
        spooled = [
            SpoolEvent(seq=n, time=now, type=type, data=data)
            for n, (type, data) in enumerate(reported, 1)
        ]
        w.logs.append(job.id, 1, spooled)  # and here it is killed
    async with world(tmp_path, target, tracker) as w:
        assert (await w.until(job.id, JobState.RUNNING)).started_at == now
        await w.target.finish(job.id, 1)
        ended = await w.jobs.wait(job.id, 5, "recorded")
        assert (ended.progress.done, ended.progress.total) == (2, 2)


class FullTracker(InMemoryTracker):
    """MLflow answers, and its disk is full."""

    full = True

    async def log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        if self.full:
            raise TrackingUnreachable("database or disk is full")
        await super().log_params(run_id, params)


async def test_mlflow_that_takes_nothing_is_asked_less_and_less(tmp_path: Path) -> None:
    tracker = FullTracker()
    async with world(tmp_path, InMemoryTarget(), tracker) as w:
        job = await w.submit(parameters={"lr": 0.5})
        await w.launched(job.id)
        await w.target.finish(job.id, 1)
        while w.recorder._patience < 4 * RETRY_FIRST:
            await asyncio.sleep(0.01)
        tracker.full = False
        assert (await w.jobs.wait(job.id, 10, "recorded")).recorded
        assert w.recorder._patience == RETRY_FIRST


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"compute": "nowhere"}, "compute"),
        ({"environment": "no-such-kernel"}, "environment"),
        ({"path": "missing.ipynb"}, "path"),
        ({"root": "/nonexistent"}, "root"),
    ],
)
async def test_a_refused_submission_leaves_nothing(
    tmp_path: Path, fields: dict[str, str], field: str
) -> None:
    async with world(tmp_path) as w:
        with pytest.raises((InvalidInput, NotFound)) as refused:
            await w.submit(**fields)
        assert refused.value.field == field
        assert w.store.page() == []
        assert list((tmp_path / "workspaces/default/jobs").iterdir()) == []


async def test_rerun_runs_the_snapshot_with_changed_parameters(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        first = await w.submit(parameters={"a": 1, "b": 2})
        await w.launched(first.id)
        await w.target.finish(first.id, 1)
        (tmp_path / "n.ipynb").unlink()
        again = await w.jobs.rerun(first.id, Rerun(parameters={"b": 3}))
        assert again.parameters == {"a": 1, "b": 3}
        assert again.rerun_of == first.id
        with pytest.raises(InvalidInput) as refused:
            await w.jobs.rerun(first.id, Rerun(parameters={"a=1": 3}))
        assert refused.value.field == "parameters.a=1"


async def test_delete_frees_the_disk_and_keeps_the_run(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        job = await w.submit()
        await w.launched(job.id)
        with pytest.raises(Conflict):
            await w.jobs.delete(job.id)
        await w.target.finish(job.id, 1)
        await w.jobs.wait(job.id, 5, "recorded")
        report = await w.jobs.prune(0, dry_run=True)
        assert report.deleted == [job.id]
        assert w.jobs.get(job.id)
        report = await w.jobs.delete(job.id)
        assert report.freed_bytes > 0
        assert report.kept_runs == [job.run_id]
        assert not w.jobs.folder.job(job.id).exists()
        with pytest.raises(NotFound):
            w.jobs.get(job.id)
        assert [j.deleted for j in w.store.changed_since(0, 10)] == [True]


async def test_a_dry_run_shows_the_attempt_and_makes_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        planned = await w.jobs.dry_run(w.submission(parameters={"a": 1}))
        assert planned.attempt["parameters"] == {"a": 1}
        assert planned.attempt["environ"]["PERIJOVE_ATTEMPT"] == "1"  # type: ignore[index, call-overload]
        assert w.store.page() == []


@pytest.mark.parametrize("embedded", [True, False])
async def test_only_beside_our_mlflow_a_job_is_told_where_artifacts_are(
    tmp_path: Path, embedded: bool
) -> None:
    async with world(tmp_path, tracker=InMemoryTracker(assigns_run_ids=embedded)) as w:
        environ: Any = (await w.jobs.dry_run(w.submission())).attempt["environ"]
        expected = str(w.jobs.folder.artifacts) if embedded else None
        assert environ.get("PERIJOVE_ARTIFACTS") == expected
