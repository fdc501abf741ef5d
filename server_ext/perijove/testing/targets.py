"""The contract every compute target keeps, and an in-memory one whose attempts end when, and as,
the test says.

A plug-in's tests derive from the contract and name what they test::

    @pytest.mark.asyncio
    class TestMyTarget(ComputeTargetContract):
        def make_target(self, folder):
            return MyTarget(...)
"""

from __future__ import annotations

import asyncio
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from perijove.abc import AttemptSink, ComputeTarget
from perijove.models.attempts import RUNNER, SPEC, STATUS, AttemptSpec, AttemptStatus, RunnerProcess
from perijove.models.events import EventType, SpoolEvent
from perijove.models.jobs import FailureReason, JobKind, JobState
from perijove.models.processes import is_alive
from perijove.models.workspaces import TargetSummary


class InMemoryTarget(ComputeTarget):
    """Runs nothing: `report` and `finish` play the runner."""

    kind = "memory"

    def __init__(self, name: str = "local", slots: int = 2) -> None:
        self.name = name
        self._slots = slots
        self._sink: AttemptSink | None = None
        self.running: dict[tuple[str, int], AttemptSpec] = {}
        self.launched: list[tuple[str, int]] = []
        self._numbers: dict[tuple[str, int], int] = {}

    async def start(self, sink: AttemptSink) -> None:
        self._sink = sink

    async def close(self) -> None:
        self._sink = None

    @property
    def slots(self) -> int:
        return self._slots

    async def launch(self, spec: AttemptSpec) -> None:
        key = (spec.job_id, spec.attempt)
        if key not in self.launched:
            self.launched.append(key)
            self.running[key] = spec

    async def adopt(self, spec: AttemptSpec) -> bool:
        return (spec.job_id, spec.attempt) in self.running

    async def cancel(self, job_id: str, attempt: int) -> None:
        if (job_id, attempt) in self.running:
            await self.finish(job_id, attempt, JobState.CANCELED)

    def summary(self) -> TargetSummary:
        return TargetSummary(
            name=self.name,
            kind=self.kind,
            state="running",
            slots=self._slots,
            running_jobs=len(self.running),
            queued_jobs=0,
        )

    async def report(
        self, job_id: str, attempt: int, *events: tuple[EventType, dict[str, object]]
    ) -> None:
        """Deliver events as the attempt's runner would."""
        assert self._sink is not None
        spooled = []
        for type, data in events:
            number = self._numbers[job_id, attempt] = self._numbers.get((job_id, attempt), 0) + 1
            spooled.append(
                SpoolEvent.model_validate(
                    {"seq": number, "time": datetime.now(UTC), "type": type, "data": data}
                )
            )
        await self._sink.events(job_id, attempt, spooled)

    async def finish(
        self,
        job_id: str,
        attempt: int,
        state: JobState = JobState.SUCCEEDED,
        reason: FailureReason | None = None,
    ) -> None:
        """End the attempt with a verdict, unless its folder has one."""
        assert self._sink is not None
        spec = self.running.pop((job_id, attempt))
        status = Path(spec.folder) / STATUS
        if not status.exists():
            verdict = AttemptStatus(state=state, reason=reason, ended_at=datetime.now(UTC), pid=0)
            status.write_text(verdict.model_dump_json())
        await self._sink.ended(job_id, attempt)


class RecordingSink:
    """What a target delivered."""

    def __init__(self) -> None:
        self.delivered: dict[tuple[str, int], list[SpoolEvent]] = {}
        self.ends: list[tuple[str, int]] = []

    async def events(self, job_id: str, attempt: int, events: Sequence[SpoolEvent]) -> None:
        self.delivered.setdefault((job_id, attempt), []).extend(events)

    async def ended(self, job_id: str, attempt: int) -> None:
        self.ends.append((job_id, attempt))


class ComputeTargetContract(ABC):
    """What `ComputeTarget` promises, asked with scripts that note what they do in a file."""

    patience = 60.0
    """Seconds until something that must happen counts as not happening."""

    @abstractmethod
    def make_target(self, folder: Path) -> ComputeTarget:
        """A target, not started; a second call makes one that finds the first one's attempts."""

    def runner(self, spec: AttemptSpec) -> RunnerProcess | None:
        """The attempt's runner, where that is a process of this machine."""
        try:
            return RunnerProcess.model_validate_json((Path(spec.folder) / RUNNER).read_text())
        except (OSError, ValueError):
            return None

    def kill_runner(self, runner: RunnerProcess) -> None:
        """Kill it, wherever it is."""
        os.kill(runner.pid, signal.SIGKILL)

    @asynccontextmanager
    async def started(self, folder: Path) -> AsyncIterator[tuple[ComputeTarget, RecordingSink]]:
        """A started target, and what it delivers."""
        target, sink = self.make_target(folder), RecordingSink()
        await target.start(sink)
        try:
            yield target, sink
        finally:
            await target.close()

    def attempt(self, folder: Path, script: str = "") -> AttemptSpec:
        """An attempt at a script that notes *start*, does `script`, and notes *end*."""
        job_id = str(uuid4())
        home = folder / job_id / "attempts" / "1"
        (home / "work" / "outputs").mkdir(parents=True)
        source = home / "work" / "script.py"
        note = f"open({str(self.notes(folder, job_id))!r}, 'a').write"
        source.write_text(f"import time\n{note}('start\\n')\n{script}\n{note}('end\\n')\n")
        spec = AttemptSpec(
            job_id=job_id,
            attempt=1,
            kind=JobKind.SCRIPT,
            name="contract",
            folder=str(home),
            source=str(source),
            snapshot=str(home / "work"),
            origin=str(home / "work"),
            workdir=str(home / "work"),
            outputs=str(home / "work" / "outputs"),
            environ={"PERIJOVE_JOB_ID": job_id, "PERIJOVE_ATTEMPT": "1"},
        )
        (home / SPEC).write_text(spec.model_dump_json())
        return spec

    def notes(self, folder: Path, job_id: str) -> Path:
        """Where the attempt's script notes what it does."""
        return folder / f"{job_id}.notes"

    def said(self, folder: Path, spec: AttemptSpec) -> list[str]:
        """What it has noted."""
        with suppress(FileNotFoundError):
            return self.notes(folder, spec.job_id).read_text().split()
        return []

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for it."""
        async with asyncio.timeout(self.patience):
            while not condition():
                await asyncio.sleep(0.02)

    def verdict(self, spec: AttemptSpec) -> AttemptStatus:
        """The attempt's verdict."""
        return AttemptStatus.model_validate_json((Path(spec.folder) / STATUS).read_text())

    async def test_an_attempt_runs_reports_and_ends_once(self, tmp_path: Path) -> None:
        async with self.started(tmp_path) as (target, sink):
            spec = self.attempt(tmp_path, "print('hello')")
            await target.launch(spec)
            await self.until(lambda: sink.ends)
            assert self.said(tmp_path, spec) == ["start", "end"]
            assert self.verdict(spec).state is JobState.SUCCEEDED
            events = sink.delivered[spec.job_id, 1]
            assert [event.seq for event in events] == list(range(1, len(events) + 1))
            assert "hello" in "".join(str(event.data.get("text", "")) for event in events)
            assert target.summary().running_jobs == 0
            await asyncio.sleep(0.1)
            assert sink.ends == [(spec.job_id, 1)]

    async def test_launched_twice_it_runs_once(self, tmp_path: Path) -> None:
        async with self.started(tmp_path) as (target, sink):
            spec = self.attempt(tmp_path, "time.sleep(0.5)")
            await asyncio.gather(target.launch(spec), target.launch(spec))
            await target.launch(spec)
            await self.until(lambda: sink.ends)
            assert self.said(tmp_path, spec) == ["start", "end"]

    async def test_a_failed_script_is_the_users_failure(self, tmp_path: Path) -> None:
        async with self.started(tmp_path) as (target, sink):
            spec = self.attempt(tmp_path, "raise ValueError('no')")
            await target.launch(spec)
            await self.until(lambda: sink.ends)
            assert self.verdict(spec).reason is FailureReason.USER_ERROR

    async def test_canceled_nothing_is_left(self, tmp_path: Path) -> None:
        async with self.started(tmp_path) as (target, sink):
            spec = self.attempt(tmp_path, "time.sleep(600)")
            await target.launch(spec)
            await self.until(lambda: self.said(tmp_path, spec))
            await target.cancel(spec.job_id, 1)
            runner = self.runner(spec)
            assert runner is None or not is_alive(runner)
            await self.until(lambda: sink.ends)
            assert self.verdict(spec).state is JobState.CANCELED
            assert self.said(tmp_path, spec) == ["start"]

    async def test_cancel_of_what_is_unknown_or_over_does_nothing(self, tmp_path: Path) -> None:
        async with self.started(tmp_path) as (target, sink):
            await target.cancel(str(uuid4()), 1)
            spec = self.attempt(tmp_path)
            await target.launch(spec)
            await self.until(lambda: sink.ends)
            await target.cancel(spec.job_id, 1)
            assert self.verdict(spec).state is JobState.SUCCEEDED

    async def test_a_killed_runner_is_lost(self, tmp_path: Path) -> None:
        async with self.started(tmp_path) as (target, sink):
            spec = self.attempt(tmp_path, "time.sleep(600)")
            await target.launch(spec)
            await self.until(lambda: self.said(tmp_path, spec))
            runner = self.runner(spec)
            assert runner is not None
            self.kill_runner(runner)
            await self.until(lambda: sink.ends)
            assert self.verdict(spec).reason is FailureReason.LOST

    async def test_another_hub_adopts_what_runs(self, tmp_path: Path) -> None:
        async with self.started(tmp_path) as (target, first):
            spec = self.attempt(tmp_path, "time.sleep(1.5)")
            await target.launch(spec)
            await self.until(lambda: self.said(tmp_path, spec))
        assert first.ends == []
        async with self.started(tmp_path) as (target, sink):
            assert await target.adopt(spec)
            await self.until(lambda: sink.ends)
            assert self.said(tmp_path, spec) == ["start", "end"]
            assert self.verdict(spec).state is JobState.SUCCEEDED
            assert sink.ends == [(spec.job_id, 1)]

    async def test_another_hub_adopts_what_has_ended(self, tmp_path: Path) -> None:
        async with self.started(tmp_path) as (target, first):
            spec = self.attempt(tmp_path)
            await target.launch(spec)
            await self.until(lambda: first.ends)
        async with self.started(tmp_path) as (target, sink):
            assert await target.adopt(spec)
            await self.until(lambda: sink.ends)

    async def test_what_was_never_launched_is_not_adopted(self, tmp_path: Path) -> None:
        async with self.started(tmp_path) as (target, _):
            assert not await target.adopt(self.attempt(tmp_path))
