"""Moves jobs through their life: queue → attempt → verdict, and what happens on the way.

Everything it needs to go on after a kill -9 is in the database and the attempts' folders;
`start` reads both and takes up where the last hub stopped.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from perijove.abc import ComputeTarget, EnvironmentCatalog, JobStore
from perijove.background import Tasks
from perijove.errors import PerijoveError
from perijove.faults import step
from perijove.models.attempts import OUTPUT, SPEC, STATUS, AttemptSpec, AttemptStatus
from perijove.models.events import EventType, SpoolEvent
from perijove.models.jobs import ACTIVE_STATES, FailureReason, Job, JobState
from perijove.models.workspaces import WorkspaceFolder
from perijove.services.attemptspecs import AttemptSpecs
from perijove.services.broker import Broker
from perijove.services.events import EventLogs
from perijove.services.verdicts import failed_launch, read_status

log = logging.getLogger(__name__)

PROGRESS_EVERY = 0.2
"""Seconds between two writes of a job's progress."""
RUN_PATIENCE = 3.0
"""Seconds an attempt waits for its MLflow run when the server assigns run ids."""


@dataclass
class Supervisor:
    """The loop that launches queued jobs, and the sink of all compute targets."""

    folder: WorkspaceFolder
    store: JobStore
    logs: EventLogs
    broker: Broker
    targets: dict[str, ComputeTarget]
    specs: AttemptSpecs
    experiment_id: Callable[[str], Awaitable[str | None]]
    on_ended: Callable[[], None]
    environments: EnvironmentCatalog
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _busy: dict[str, set[str]] = field(default_factory=dict)
    _held: list[str] = field(default_factory=list)
    _tasks: Tasks = field(default_factory=lambda: Tasks("the supervisor", log))
    _progress: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def start(self) -> None:
        """Start the targets and take up every job that is not over."""
        for target in list(self.targets.values()):
            await self.add(target)
        opened = set(self.store.open_attempts())
        for job in self.store.active():
            self._note_state(job)
            if job.state is JobState.QUEUED:
                if job.cancel_requested:
                    self.cancel(job)
            elif (job.id, job.attempt) in opened and job.compute in self.targets:
                self._busy[job.compute].add(job.id)
                await self._adopt(job)
        self.wake()

    async def add(self, target: ComputeTarget) -> None:
        """Make a target usable."""
        await target.start(self)
        self.targets[target.name] = target
        self._busy.setdefault(target.name, set())
        self.wake()

    async def remove(self, name: str) -> None:
        """Forget a target; nothing runs on it any more."""
        target = self.targets.pop(name, None)
        if target is not None:
            await target.close()

    async def run(self) -> None:
        """Launch what is queued, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            unready = self.environments.unready()
            if failed := {name: why for name, why in unready.items() if why is not None}:
                for job in self.store.queued_in(failed):
                    self._refuse(job, failed[str(job.environment)])
            for target in list(self.targets.values()):
                held = target.name in self._held
                free = 0 if held else target.slots - len(self._busy[target.name])
                for job in self.store.queued(target.name, free, unready) if free > 0 else ():
                    self._begin(target, job)

    async def close(self) -> None:
        """Let go of the targets; attempts go on."""
        await self._tasks.close()
        for target in self.targets.values():
            await target.close()

    @contextmanager
    def hold(self, target: str) -> Iterator[None]:
        """Give the target nothing to run meanwhile: what waits for it goes on waiting."""
        self._held.append(target)
        try:
            yield
        finally:
            self._held.remove(target)
            self.wake()

    def wake(self) -> None:
        """Something was queued or a slot is free."""
        self._wake.set()

    def cancel(self, job: Job) -> None:
        """Carry out a stored wish to cancel; returns at once."""
        queued = self.store.update(
            job.id,
            expect=[JobState.QUEUED],
            state=JobState.CANCELED,
            ended_at=datetime.now(UTC),
            outbox="finish",
        )
        if queued is not None:
            self._over(queued)
        elif job.attempt:
            self._tasks.spawn(self.targets[job.compute].cancel(job.id, job.attempt))

    def has_begun(self, job: Job) -> bool:
        """May anything of the job's attempt run, or have run?"""
        return job.state is not JobState.QUEUED and not self._waits_there(job)

    def _waits_there(self, job: Job) -> bool:
        """Is it sure that its target has its attempt, and has given it to nobody?"""
        folder = self.folder.attempt(job.id, job.attempt)
        return job.state is JobState.PREPARING and self.targets[job.compute].is_untaken(folder)

    async def recall(self, job: Job) -> None:
        """Have a job of a target that is held wait again; if it has begun, cancel it."""
        await self.targets[job.compute].cancel(job.id, job.attempt)

    def _refuse(self, job: Job, why: str) -> None:
        """Its environment could not be built."""
        refused = self.store.update(
            job.id,
            expect=[JobState.QUEUED],
            state=JobState.FAILED,
            reason=FailureReason.unplaced(why),
            message=f"The environment {job.environment} could not be built: {why}",
            ended_at=datetime.now(UTC),
            outbox="finish",
        )
        if refused is not None:
            self._over(refused)

    # launching

    def _begin(self, target: ComputeTarget, job: Job) -> None:
        begun = self.store.update(
            job.id,
            expect=[JobState.QUEUED],
            state=JobState.PREPARING,
            attempt=job.attempt + 1,
            attempt_begins=job.attempt + 1,
            done=0,
            **({} if job.attempt else {"message": None}),
        )
        if begun is None:
            return
        step("launch.attempt")
        self._busy[target.name].add(begun.id)
        self._note_state(begun)
        self._tasks.spawn(self._launch(begun))

    def _unbegin(self, job: Job) -> None:
        """Have the job wait as if this attempt, which nobody has taken, had not been."""
        shutil.rmtree(self.folder.attempt(job.id, job.attempt), ignore_errors=True)
        queued = self.store.update(
            job.id,
            expect=[JobState.PREPARING],
            state=JobState.QUEUED,
            attempt=job.attempt - 1,
            attempt_undone=job.attempt,
        )
        self._busy[job.compute].discard(job.id)
        if queued is not None:
            self._note_state(queued)
        self.wake()

    async def _launch(self, job: Job) -> None:
        target = self.targets[job.compute]
        try:
            if job.run_id is None:
                job = await self._await_run(job)
            if job.experiment_id is None and (found := await self.experiment_id(job.experiment)):
                job = self.store.update(job.id, experiment_id=found) or job
            spec = self.specs.write(job)
            step("launch.spec")
            await target.launch(spec)
            step("launch.forked")
        except (PerijoveError, OSError) as error:
            await self._verdict(job, failed_launch(error))
            return
        current = self.store.get(job.id)
        if current is not None and (current.cancel_requested or target.name in self._held):
            await target.cancel(job.id, job.attempt)

    async def _adopt(self, job: Job) -> None:
        # the hub before may have kept a runner's events, and died before it stored what they mean
        self._advance(job, self.logs.of_attempt(job.id, job.attempt))
        target = self.targets[job.compute]
        path = self.folder.attempt(job.id, job.attempt) / SPEC
        if path.exists() and await target.adopt(AttemptSpec.model_validate_json(path.read_text())):
            if job.cancel_requested:
                self._tasks.spawn(target.cancel(job.id, job.attempt))
        else:
            self._tasks.spawn(self._launch(job))

    async def _await_run(self, job: Job) -> Job:
        """Give the recorder a moment to make the run, so that user code finds its id."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RUN_PATIENCE
        with self.broker.subscribe() as changed:
            while job.run_id is None and loop.time() < deadline:
                changed.clear()
                job = self.store.get(job.id) or job
                if job.run_id is None:
                    try:
                        await asyncio.wait_for(changed.wait(), deadline - loop.time())
                    except TimeoutError:
                        break
        return job

    # what runners report

    async def events(self, job_id: str, attempt: int, events: Sequence[SpoolEvent]) -> None:
        """See `AttemptSink`."""
        fresh = self.logs.append(job_id, attempt, events)
        if not fresh:
            return
        job = self.store.get(job_id)
        if job is not None and job.attempt == attempt and not job.state.terminal:
            self._advance(job, fresh)
        self.broker.changed()

    def _advance(self, job: Job, events: Sequence[SpoolEvent]) -> None:
        kinds = {event.type for event in events}
        done, total = job.progress.done, job.progress.total
        pending = self._progress.get(job.id)
        if pending is not None:
            done, total = pending["done"], pending["total"]
        for event in events:
            if event.type is EventType.NOTEBOOK:
                done, total = 0, int(str(event.data.get("total", total)))
            elif event.type is EventType.CELL_FINISHED:
                done += 1
        changes: dict[str, Any] = {"done": done, "total": total}
        if job.state is JobState.PREPARING and kinds & {EventType.ATTEMPT, EventType.NOTEBOOK}:
            begun = next(
                e.time for e in events if e.type in (EventType.ATTEMPT, EventType.NOTEBOOK)
            )
            self._progress.pop(job.id, None)
            if job.started_at is None:
                changes["started_at"] = begun
            running = self.store.update(
                job.id, expect=[JobState.PREPARING], state=JobState.RUNNING, **changes
            )
            if running is not None:
                self._note_state(running)
        elif (done, total) != (job.progress.done, job.progress.total):
            if pending is None:
                asyncio.get_running_loop().call_later(PROGRESS_EVERY, self._write_progress, job.id)
            self._progress[job.id] = changes

    def _write_progress(self, job_id: str) -> None:
        changes = self._progress.pop(job_id, None)
        if changes is not None and self.store.update(job_id, expect=ACTIVE_STATES, **changes):
            self.broker.changed()

    async def poked(self, job_id: str, attempt: int) -> None:
        """A runner says that its spool has grown."""
        job = self.store.get(job_id)
        if job is not None and job.compute in self.targets:
            await self.targets[job.compute].poke(job_id, attempt)

    async def metrics(self, job_id: str, attempt: int, points: Sequence[Mapping[str, Any]]) -> None:
        """Metric values that user code logged to the job's run."""
        job = self.store.get(job_id)
        if job is None or job.deleted or job.attempt != attempt:
            return
        self.logs.note_all(job_id, attempt, EventType.METRIC, map(dict, points))
        self.broker.changed()

    async def ended(self, job_id: str, attempt: int) -> None:
        """See `AttemptSink`."""
        job = self.store.get(job_id)
        if job is None or job.attempt != attempt or job.state.terminal:
            return
        status = read_status(self.folder.attempt(job_id, attempt) / STATUS)
        step("finish.ingested")
        await self._verdict(job, status)

    async def _verdict(self, job: Job, status: AttemptStatus) -> None:
        current = self.store.get(job.id)
        if current is None or current.state.terminal or current.attempt != job.attempt:
            return
        changes: dict[str, Any] = self._progress.pop(job.id, {})
        if status.reason is FailureReason.LOST and current.cancel_requested:
            # it was ended because it was canceled, by a hub that did not live to say so
            status = status.model_copy(
                update={"state": JobState.CANCELED, "reason": None, "message": None}
            )
        elif status.state is JobState.CANCELED and not current.cancel_requested:
            if self._waits_there(current):
                self._unbegin(current)
                return
            if job.compute not in self._held:
                # who else tells a runner to stop is about to take its machine away
                status = status.model_copy(
                    update={
                        "state": JobState.FAILED,
                        "reason": FailureReason.LOST,
                        "message": "The attempt was told to stop, and nobody had canceled the "
                        "job: its machine was shut down, or a batch system ended it.",
                    }
                )
        again = (
            status.state is JobState.FAILED
            and current.attempt <= current.retries
            and not current.cancel_requested
        )
        output = self.folder.attempt(job.id, job.attempt) / OUTPUT
        ended = self.store.update(
            job.id,
            expect=ACTIVE_STATES,
            state=JobState.QUEUED if again else status.state,
            reason=status.reason,
            message=status.message,
            ended_at=None if again else status.ended_at,
            output_notebook=str(output) if output.exists() else current.output_notebook,
            attempt_ends=job.attempt,
            outbox=None if again else "finish",
            **changes,
        )
        step("finish.stored")
        self._busy[job.compute].discard(job.id)
        if ended is not None:
            self._over(ended)
        self.wake()

    def _over(self, job: Job) -> None:
        self._note_state(job)
        self.broker.changed()
        if job.state.terminal:
            self.on_ended()

    def _note_state(self, job: Job) -> None:
        try:
            self.logs.note_state(job)
        except OSError as error:  # a full disk must not stop the loop; it is noted later
            log.warning("The event log of job %s cannot be written: %s", job.id, error)
        self.broker.changed()

    def busy(self, target: str) -> Collection[str]:
        """Jobs that hold a slot of the target."""
        return self._busy.get(target, set())
