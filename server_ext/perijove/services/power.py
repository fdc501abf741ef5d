"""Stops instances that nobody uses, and starts and stops them at the times their owners set."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from perijove.errors import Conflict, PerijoveError
from perijove.models.compute import TargetState
from perijove.models.instances import InstanceDefinition
from perijove.models.schedules import PowerSchedule
from perijove.services.compute import ComputeService
from perijove.services.targetinfo import Notice

log = logging.getLogger(__name__)

LOOK = 5.0
"""Seconds between two looks."""
WARNING = timedelta(minutes=5)
"""How long before a stop people are told; for short idle times half of them."""
CONNECTION = timedelta(seconds=90)
"""How long a sign of a connection counts."""
KEEP = "keep running"
DONE = (KEEP, "create", "start", "stop", "restart")
"""Events after which a schedule that was due before has nothing more to say."""
LATE = timedelta(minutes=10)
"""By how much a schedule is late at most, if no hub ran when it was due."""


@dataclass
class Clock:
    """What is known of one instance."""

    idle_since: datetime | None = None
    looked: datetime | None = None
    """Schedules are done up to here."""
    touched: datetime | None = None
    kept: datetime | None = None
    """The stop at this time was called off."""
    overdue: tuple[datetime, PowerSchedule] | None = None
    """When a scheduled stop was due that waits for jobs to end, and its schedule."""


@dataclass
class PowerService:
    """See the module's docstring."""

    compute: ComputeService
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _clocks: dict[str, Clock] = field(default_factory=dict)

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await asyncio.sleep(LOOK)
            await self.look()

    async def look(self) -> None:
        """Look once, and act."""
        for name, definition in self.compute.instances():
            clock = self._clocks.setdefault(name.lower(), Clock())
            try:
                await self._look_at(name, definition, clock)
            except PerijoveError as error:
                log.warning("Instance %s: %s", name, error)

    def keep(self, name: str) -> None:
        """Call off the stop that is announced, and count idleness afresh.

        Raises
        ------
        NotFound: there is no such target. Conflict: it is no instance.
        """
        found = self.compute.get(name)
        if found.kind != "instance":
            raise Conflict(f"{found.name} is no instance: it is not stopped by itself.")
        clock = self._clocks.setdefault(name.lower(), Clock())
        clock.idle_since = self.now()
        notice = self.compute.notices.pop(name.lower(), None)
        if notice is not None:
            clock.kept = notice.at
            clock.overdue = None
            self.compute.history.note(found.name, KEEP, notice.reason)
        self.compute.broker.changed()

    def touch(self, name: str) -> None:
        """Somebody is connected to it. Raises NotFound."""
        self.compute.get(name)
        self._clocks.setdefault(name.lower(), Clock()).touched = self.now()

    async def _look_at(self, name: str, definition: InstanceDefinition, clock: Clock) -> None:
        now, info = self.now(), self.compute.get(name)
        since, clock.looked = clock.looked or self._done_until(name, now), now
        running = info.state in (TargetState.RUNNING, TargetState.UNUSABLE)
        for schedule in definition.schedules:
            at = schedule.next_time(since)
            if at is None or at > now:
                continue
            if schedule.action == "start" and info.state is TargetState.STOPPED:
                await self.compute.start(name, why=f"its schedule: {schedule.words}")
                return
            if schedule.action == "stop" and running and at != clock.kept:
                clock.overdue = at, schedule
        if not running:
            clock.idle_since = clock.overdue = None
            self._announce(name, None)
            return
        used = self.compute.in_use(name)
        if clock.touched is not None and now - clock.touched < CONNECTION:
            used = [*used, "a connection"]
        clock.idle_since = None if used else clock.idle_since or now
        if clock.overdue is not None and not self.compute.has_jobs(name):
            await self._stop(name, f"its schedule: {clock.overdue[1].words}", clock)
            return
        coming = [notice for notice in self._coming(definition, clock, now) if notice]
        notice = min(coming, key=lambda found: found.at, default=None)
        if notice is not None and notice.idle and notice.at <= now:
            await self._stop(name, notice.reason, clock)
            return
        self._announce(name, notice)

    def _done_until(self, name: str, now: datetime) -> datetime:
        """Up to when the hub before has done what schedules say, as far as one can know."""
        known = [event for event in self.compute.history.of(name) if event.name in DONE]
        if not known or known[-1].name == KEEP:
            return now
        return max(known[-1].at, now - LATE)

    def _coming(
        self, definition: InstanceDefinition, clock: Clock, now: datetime
    ) -> list[Notice | None]:
        found: list[Notice | None] = []
        minutes = definition.idle_minutes_before_shutdown
        if minutes is not None and clock.idle_since is not None:
            whole = timedelta(minutes=minutes)
            at, warning = clock.idle_since + whole, min(WARNING, whole / 2)
            reason = f"nothing has used it for {minutes:g} minute{'s' * (minutes != 1)}"
            found.append(Notice(at, reason, True) if at - now <= warning else None)
        if clock.overdue is not None:
            due, schedule = clock.overdue
            told = f"its schedule says {schedule.clock(due)}"
            reason = f"{told}, and it is stopped when its jobs are over"
            found.append(Notice(due, reason, False))
        for schedule in definition.schedules:
            at_ = schedule.next_time(now) if schedule.action == "stop" else None
            if at_ is not None and at_ - now <= WARNING and at_ != clock.kept:
                told = f"its schedule says {schedule.clock(at_)}"
                found.append(Notice(at_, told, False))
        return found

    async def _stop(self, name: str, why: str, clock: Clock) -> None:
        clock.idle_since = clock.overdue = None
        self._announce(name, None)
        log.info("Instance %s is stopped: %s", name, why)
        await self.compute.stop(name, why=why)

    def _announce(self, name: str, notice: Notice | None) -> None:
        if self.compute.notices.get(name.lower()) == notice:
            return
        if notice is None:
            del self.compute.notices[name.lower()]
        else:
            self.compute.notices[name.lower()] = notice
        self.compute.broker.changed()
