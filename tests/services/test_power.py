"""Instances stop by themselves: when idle, at set times, and not when they are used or kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from perijove.errors import Conflict
from perijove.models.compute import TargetEvent, TargetState
from perijove.models.instances import InstanceDefinition
from perijove.models.schedules import PowerSchedule
from perijove.services.broker import Broker
from perijove.services.power import PowerService

pytestmark = pytest.mark.asyncio
FRIDAY = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Compute:
    """One instance, and what was done to it."""

    def __init__(self, **fields: Any) -> None:
        self.made = InstanceDefinition(name="box", **fields)
        self.state, self.used, self.jobs = TargetState.RUNNING, list[str](), False
        self.notices: dict[str, Any] = {}
        self.broker, self.done = Broker(), list[tuple[str, str]]()
        self.history = SimpleNamespace(
            note=lambda *event: self.noted.append(event), of=lambda name: self.events
        )
        self.events: list[TargetEvent] = []
        self.noted: list[tuple[str, ...]] = []

    def instances(self) -> list[tuple[str, InstanceDefinition]]:
        return [("box", self.made)]

    def get(self, name: str) -> Any:
        return SimpleNamespace(name="box", kind="instance", state=self.state)

    def in_use(self, name: str) -> list[str]:
        return self.used

    def has_jobs(self, name: str) -> bool:
        return self.jobs

    async def start(self, name: str, why: str) -> None:
        self.state = TargetState.RUNNING
        self.done.append(("start", why))

    async def stop(self, name: str, why: str) -> None:
        if self.jobs:
            raise Conflict("jobs run")
        self.state = TargetState.STOPPED
        self.done.append(("stop", why))


class World:
    def __init__(self, compute: Any, at: datetime = FRIDAY) -> None:
        self.compute, self.time = compute, at
        self.power = PowerService(compute, lambda: self.time)

    async def after(self, minutes: float) -> None:
        end = self.time + timedelta(minutes=minutes)
        while self.time < end:
            self.time = min(end, self.time + timedelta(seconds=20))
            await self.power.look()


async def test_an_idle_instance_is_announced_and_stopped() -> None:
    world = World(compute := Compute(idle_minutes_before_shutdown=30))
    await world.after(20)
    assert not compute.notices
    await world.after(6)
    assert compute.notices["box"].idle
    assert not compute.done
    await world.after(5)
    assert compute.done == [("stop", "nothing has used it for 30 minutes")]
    assert not compute.notices


async def test_what_is_used_goes_on_and_idleness_counts_from_its_end() -> None:
    world = World(compute := Compute(idle_minutes_before_shutdown=30))
    compute.used = ["kernel"]
    await world.after(90)
    compute.used = []
    await world.after(29)
    assert not compute.done
    await world.after(2)
    assert compute.done


async def test_keep_running_calls_the_stop_off() -> None:
    world = World(compute := Compute(idle_minutes_before_shutdown=30))
    await world.after(28)
    world.power.keep("box")
    assert compute.noted == [("box", "keep running", "nothing has used it for 30 minutes")]
    assert not compute.notices
    await world.after(20)
    assert not compute.done


async def test_a_connection_keeps_it() -> None:
    world = World(compute := Compute(idle_minutes_before_shutdown=2))
    for _ in range(10):
        world.power.touch("box")
        await world.after(1)
    assert not compute.done
    await world.after(5)
    assert compute.done


async def test_schedules_stop_and_start_it() -> None:
    evening = {"action": "stop", "cron": "0 18 * * 1-5", "timezone": "UTC"}
    morning = {"action": "start", "cron": "0 8 * * mon-fri", "timezone": "UTC"}
    world = World(compute := Compute(schedules=[evening, morning]))
    await world.after(5 * 60 + 57)
    assert compute.notices["box"].at == FRIDAY.replace(hour=18)
    await world.after(4)
    assert [what for what, _ in compute.done] == ["stop"]
    await world.after(48 * 60)
    assert len(compute.done) == 1  # Saturday, Sunday
    await world.after(14 * 60)
    assert [what for what, _ in compute.done] == ["stop", "start"]


async def test_a_scheduled_stop_waits_for_jobs_and_can_be_called_off() -> None:
    evening = {"action": "stop", "cron": "0 18 * * *", "timezone": "UTC"}
    world = World(compute := Compute(schedules=[evening]), FRIDAY.replace(hour=17, minute=50))
    compute.jobs, compute.used = True, ["job"]
    await world.after(30)
    assert not compute.done
    compute.jobs = False
    await world.after(1)
    assert compute.done
    # while it waits for them, it is announced, and may still be called off
    world = World(compute := Compute(schedules=[evening]), FRIDAY.replace(hour=17, minute=50))
    compute.jobs = True
    await world.after(30)
    assert compute.notices["box"].at == FRIDAY.replace(hour=18)
    told = "its schedule says 18:00, and it is stopped when its jobs are over"
    assert compute.notices["box"].reason == told
    world.power.keep("box")
    compute.jobs = False
    await world.after(30)
    assert not compute.done
    world = World(compute := Compute(schedules=[evening]), FRIDAY.replace(hour=17, minute=50))
    await world.after(7)
    world.power.keep("box")
    await world.after(60)
    assert not compute.done


async def test_what_was_due_while_no_hub_ran_is_done_a_little_late() -> None:
    evening = {"action": "stop", "cron": "0 18 * * *", "timezone": "UTC"}
    at_six = FRIDAY.replace(hour=18)

    async def begun(after: timedelta, last: str, before: timedelta) -> list[tuple[str, str]]:
        world = World(compute := Compute(schedules=[evening]), at_six + after)
        compute.events = [
            TargetEvent(at=at_six - before, name=last),
            TargetEvent(at=at_six + after, name="back"),
        ]
        await world.after(1)
        return compute.done

    minute, hour = timedelta(minutes=1), timedelta(hours=1)
    assert await begun(4 * minute, "start", hour) == [("stop", "its schedule: 18:00, every day")]
    assert await begun(hour, "start", hour) == []
    assert await begun(4 * minute, "start", -minute) == []  # it was started afterwards
    assert await begun(4 * minute, "keep running", minute) == []


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "every day",
        "61 8 * * *",
        "0 8 * *",
        "0 8 * * 9",
        "0 8 31 2 *",
        "0 8 * * mon#1",
        "0 8 * * x",
    ],
)
async def test_a_schedule_that_is_none_is_refused(cron: str) -> None:
    with pytest.raises(ValidationError, match="not understood"):
        PowerSchedule(action="stop", cron=cron)


async def test_days_are_counted_as_cron_does() -> None:
    sunday = PowerSchedule(action="stop", cron="0 8 * * 0", timezone="UTC").next_time(FRIDAY)
    assert sunday == datetime(2026, 11, 22, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "numbers"),
    [
        ("0-5", [20, 22, 23, 24, 25, 26, 27]),
        ("sun-tue", [22, 23, 24]),
        ("5-1", [20, 21, 22, 23, 27]),
        ("1-5/2,SAT", [20, 21, 23, 25, 27]),
        ("*", [20, 21, 22, 23, 24, 25, 26, 27]),
        ("1-7", [20, 21, 22, 23, 24, 25, 26, 27]),
    ],
)
async def test_days_in_a_row(days: str, numbers: list[int]) -> None:
    schedule = PowerSchedule(action="stop", cron=f"0 13 * * {days}", timezone="UTC")
    week, found = FRIDAY, list[int]()
    while (at := schedule.next_time(week)) is not None and at < FRIDAY + timedelta(days=8):
        found.append(at.day)
        week = at + timedelta(seconds=1)
    assert found == numbers


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 18 * * *", "18:00, every day"),
        ("5 8 * * mon-fri", "08:05, mon-fri"),
        ("0 8 * * sat,sun", "08:00, sat, sun"),
        ("*/5 8 * * *", "*/5 8 * * *"),
        ("0 8 1 * *", "0 8 1 * *"),
    ],
)
async def test_a_schedule_in_words(cron: str, words: str) -> None:
    assert PowerSchedule(action="start", cron=cron).words == words
