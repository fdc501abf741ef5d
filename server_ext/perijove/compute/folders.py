"""What all targets share whose runners write into folders that the hub can read.

A runner is a detached process that owns its attempt by a lock on a file. This module follows
runners' spools, watches that they live and keep their lease, and ends them; how one is started
is the target's own affair.

A runner on another host, behind a shared file system, is none of this machine's processes: it
lives until its node says that it has ended, or its heart has stopped after a verdict.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from abc import abstractmethod
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from perijove.abc import AttemptSink, ComputeTarget
from perijove.background import Tasks
from perijove.compute.spool import SpoolReader
from perijove.compute.waiting import wait_for_exit
from perijove.faults import step
from perijove.models.attempts import (
    HEARTBEAT,
    HEARTBEAT_FILE,
    KEEPER,
    RESERVE,
    RUNNER,
    SPOOL,
    STATUS,
    AttemptSpec,
    AttemptStatus,
    RunnerProcess,
)
from perijove.models.jobs import FailureReason, JobState
from perijove.models.processes import boot_id, end_attempt, is_alive, link_verdict

log = logging.getLogger(__name__)

CANCEL_GRACE = 10.0
"""Seconds a runner has to save its notebook after SIGTERM."""
CLAIM = 15.0
"""Seconds a started process has to take its attempt."""
QUIET = 3 * HEARTBEAT
"""Seconds without a heartbeat after which a far runner that has its verdict counts as gone."""
SHOWS = 20.0
"""Seconds until a shared file system shows here what was written on another host."""
LOOK = 1.0
"""Seconds between two looks at spools nobody poked about, and at leases."""


@dataclass
class Attempt:
    """An attempt that was launched or adopted, and is not over."""

    spec: AttemptSpec
    spool: SpoolReader
    beat: float = 0.0
    beat_seen: float = 0.0
    canceling: bool = False
    why: str | None = None
    """Why it is lost, where the target knows."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when nothing of a far runner is left."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def folder(self) -> Path:
        return Path(self.spec.folder)

    def runner(self) -> RunnerProcess | None:
        """Who has taken the attempt."""
        return self._process(RUNNER)

    def keeper(self) -> RunnerProcess | None:
        """Who keeps the kernel, if that was forked by its environment's zygote."""
        return self._process(KEEPER)

    def _process(self, name: str) -> RunnerProcess | None:
        try:
            return RunnerProcess.model_validate_json((self.folder / name).read_text())
        except (OSError, ValueError):
            return None


class FolderTarget(ComputeTarget):
    """See `ComputeTarget`."""

    far_runners = False
    """May runners be on other hosts?"""
    claims_late = False
    """May a launched attempt wait for long until a runner takes it?"""

    def __init__(self, name: str, lease: float) -> None:
        self.name = name
        self._lease = lease
        self._attempts: dict[tuple[str, int], Attempt] = {}
        self._tasks = Tasks(f"target {name}", log)
        self.spawn = self._tasks.spawn
        self._sink: AttemptSink | None = None

    async def start(self, sink: AttemptSink) -> None:
        self._sink = sink
        self.spawn(self._look())

    async def close(self) -> None:
        await self._tasks.close()

    @abstractmethod
    async def begin(self, attempt: Attempt) -> int | None:
        """Have a runner started; its pid, if it is a child or a neighbour of this process."""

    @abstractmethod
    async def claimed(self, attempt: Attempt, pid: int | None) -> None:
        """Return when a runner has taken the attempt, or nothing is left that could."""

    async def withdraw(self, attempt: Attempt) -> None:
        """An attempt that no runner has taken yet is canceled: none shall take it."""

    async def gone(self, attempt: Attempt) -> None:
        """Return when the runner that has taken the attempt is gone."""
        # the process just seen may have found the attempt taken: wait for the one that has it
        while (runner := attempt.runner()) is not None and is_alive(runner):
            await wait_for_exit(runner.pid)
        if self.is_far(attempt):
            await attempt.over.wait()
            await _await_verdict(attempt)

    async def interrupt(self, attempt: Attempt) -> None:
        """Ask the runner to save its notebook and end."""
        runner = attempt.runner()
        if self.is_far(attempt):
            await self.end_far(attempt, force=False)
        elif runner is not None and is_alive(runner):
            with suppress(ProcessLookupError):
                os.kill(runner.pid, signal.SIGTERM)

    async def end(self, attempt: Attempt) -> None:
        """End every process of the attempt."""
        spec, runner = attempt.spec, attempt.runner()
        if self.is_far(attempt):
            await self.end_far(attempt, force=True)
        key = (spec.job_id, spec.attempt)
        await asyncio.to_thread(end_attempt, *key, runner, attempt.keeper())

    def overdue(self, attempt: Attempt, silent: float) -> bool:
        """Has a runner lost its attempt that gave no sign of life for `silent` seconds?"""
        return silent > self._lease

    def is_far(self, attempt: Attempt) -> bool:
        """Is the attempt's runner another host's process?"""
        runner = attempt.runner()
        return self.far_runners and runner is not None and runner.boot_id != boot_id()

    async def end_far(self, attempt: Attempt, force: bool) -> None:
        """Ask the attempt's runner on another host to end; with `force` end what is left of it.

        What cannot be reached sees its verdict in the folder, and ends itself.
        """

    async def launch(self, spec: AttemptSpec) -> None:
        key = (spec.job_id, spec.attempt)
        if key in self._attempts:
            return
        attempt = self._attempts[key] = Attempt(spec, SpoolReader(Path(spec.folder) / SPOOL))
        try:
            pid = await self.begin(attempt)
        except BaseException:
            del self._attempts[key]
            raise
        self.spawn(self._watch(key, attempt, pid))

    async def adopt(self, spec: AttemptSpec) -> bool:
        attempt = Attempt(spec, SpoolReader(Path(spec.folder) / SPOOL))
        runner = attempt.runner()
        if runner is None and not (attempt.folder / STATUS).exists():
            return False
        key = (spec.job_id, spec.attempt)
        self._attempts[key] = attempt
        self.spawn(self._watch(key, attempt, None))
        return True

    async def cancel(self, job_id: str, attempt: int) -> None:
        found = self._attempts.get((job_id, attempt))
        if found is None or found.canceling:
            if found is not None:
                await found.gone.wait()
            return
        found.canceling = True
        await self.withdraw(found)
        runner = found.runner()
        await self.interrupt(found)
        step("cancel.signalled")
        try:
            await asyncio.wait_for(found.gone.wait(), CANCEL_GRACE if runner else 0)
        except TimeoutError:
            await self.revoke(found, JobState.CANCELED, None, None)
            await found.gone.wait()

    async def poke(self, job_id: str, attempt: int) -> None:
        """The attempt's spool has grown."""
        found = self._attempts.get((job_id, attempt))
        if found is not None:
            found.taken.set()
            await self._deliver(found)

    async def _watch(self, key: tuple[str, int], attempt: Attempt, pid: int | None) -> None:
        """Follow the attempt until nothing of it is left, then say so."""
        await self.claimed(attempt, pid)
        await self.gone(attempt)
        if attempt.canceling or not (attempt.folder / STATUS).exists():
            # a runner that gave its verdict by itself has ended what it started
            await self.revoke(attempt, *_lost(attempt))
        await self._deliver(attempt)
        del self._attempts[key]
        attempt.gone.set()
        assert self._sink is not None
        await self._sink.ended(*key)

    async def _deliver(self, attempt: Attempt) -> None:
        assert self._sink is not None
        async with attempt.lock:
            while events := attempt.spool.read():
                try:
                    await self._sink.events(attempt.spec.job_id, attempt.spec.attempt, events)
                except OSError as error:
                    # a full disk: the events stay in the spool, and are delivered again
                    log.warning("Events of %s are kept for later: %s", attempt.folder, error)
                    attempt.spool.rewind()
                    return

    async def revoke(
        self,
        attempt: Attempt,
        state: JobState,
        reason: FailureReason | None,
        message: str | None,
    ) -> None:
        """Give the verdict in the runner's place, if it has not given one, and end it."""
        status = AttemptStatus(
            state=state,
            reason=reason,
            message=message,
            ended_at=datetime.now(UTC),
            pid=os.getpid(),
        )
        try:
            # nobody else needs the reserve: the runner is gone, or has no say any more
            (attempt.folder / RESERVE).unlink(missing_ok=True)
            link_verdict(attempt.folder, status)
        except OSError as error:  # the sink takes an attempt without a verdict for lost
            log.warning("The verdict on %s cannot be written: %s", attempt.folder, error)
        await self.end(attempt)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK)
            for attempt in list(self._attempts.values()):
                await self._deliver(attempt)
                try:
                    beat = (attempt.folder / HEARTBEAT_FILE).stat().st_mtime
                except OSError:
                    beat = 0.0
                if not attempt.over.is_set() and self._is_over(attempt, loop.time()):
                    attempt.over.set()
                # counted on our own clock: a machine that slept has not lost its leases
                if beat != attempt.beat or attempt.beat_seen == 0.0:
                    attempt.beat, attempt.beat_seen = beat, loop.time()
                elif not beat and (self.claims_late or loop.time() - attempt.beat_seen < CLAIM):
                    continue
                elif self.overdue(attempt, loop.time() - attempt.beat_seen):
                    log.warning("Attempt %s has lost its lease", attempt.folder)
                    attempt.beat_seen = loop.time()
                    self.spawn(
                        self.revoke(
                            attempt,
                            JobState.FAILED,
                            FailureReason.LOST,
                            f"The runner gave no sign of life for {self._lease:.0f} s.",
                        )
                    )

    def _is_over(self, attempt: Attempt, now: float) -> bool:
        """Has a far runner given its verdict itself, or been silent since it was given?"""
        runner = attempt.runner()
        if not self.is_far(attempt):
            return False
        try:
            status = AttemptStatus.model_validate_json((attempt.folder / STATUS).read_text())
        except (OSError, ValueError):
            return False
        # a runner's own verdict is the last that it does
        own = runner is not None and status.pid == runner.pid
        return own or now - attempt.beat_seen > QUIET


async def _await_verdict(attempt: Attempt) -> None:
    """Let the file system show the verdict that the node says is there."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0 if attempt.why else SHOWS):
            while not (attempt.folder / STATUS).exists():
                await asyncio.sleep(0.2)


def _lost(attempt: Attempt) -> tuple[JobState, FailureReason | None, str | None]:
    if attempt.canceling:
        return JobState.CANCELED, None, None
    return (
        JobState.FAILED,
        FailureReason.LOST,
        attempt.why
        or "The runner ended without a verdict: it was killed, or the machine went down.",
    )
