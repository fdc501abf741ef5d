"""Times at which something is to happen."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
PART = re.compile(r"(?P<day>[0-7]|[a-z]{3})(-(?P<to>[0-7]|[a-z]{3})(/(?P<step>[1-7]))?)?")
DAILY = re.compile(r"(?P<minute>\d+) (?P<hour>\d+) \* \* (?P<days>\S+)")
OTHER = re.compile(r"[^0-9a-z*,/ -]")


class PowerSchedule(BaseModel):
    """Times at which an instance is started or stopped."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["start", "stop"]
    cron: str = Field(
        max_length=100, description="minute hour day month weekday, for example 0 8 * * mon-fri"
    )
    timezone: str | None = Field(default=None, max_length=64, description="None: this machine's")

    @model_validator(mode="after")
    def _understood(self) -> PowerSchedule:
        try:
            if self.next_time(datetime.now(UTC)) is None:
                raise ValueError("there is no such day")
        except (ValueError, LookupError) as error:
            raise ValueError(
                f"the schedule {self.cron!r} is not understood ({error}); write minute hour day "
                "month weekday, for example 0 8 * * mon-fri"
            ) from None
        return self

    def next_time(self, after: datetime) -> datetime | None:
        """The first time that is not before `after`, in UTC; None: there is none."""
        found: datetime | None = self._trigger().get_next_fire_time(None, after)
        return None if found is None else found.astimezone(UTC)

    @property
    def words(self) -> str:
        """Such as "18:00, mon-fri", as JupyterLab says it; another cron text is itself."""
        found = DAILY.fullmatch(self.cron.lower())
        if found is None:
            return self.cron
        days = "every day" if found["days"] == "*" else found["days"].replace(",", ", ")
        return f"{int(found['hour']):02}:{int(found['minute']):02}, {days}"

    def clock(self, at: datetime) -> str:
        """The time of day that this is where the schedule is meant, such as 08:00."""
        zone = None if self.timezone is None else ZoneInfo(self.timezone)
        return f"{at.astimezone(zone):%H:%M}"

    def _trigger(self) -> Any:
        from apscheduler.triggers.cron import CronTrigger

        fields = self.cron.lower().split()
        if found := OTHER.search(self.cron.lower()):  # the library passes over some
            raise ValueError(f"{found[0]!r} means nothing in it")
        if len(fields) == 5:
            fields[4] = ",".join(map(_days, fields[4].split(",")))
        return CronTrigger.from_crontab(" ".join(fields), timezone=self.timezone)


def _days(part: str) -> str:
    """Days of a week by their names: cron counts them from Sunday, the library from Monday."""
    found = PART.fullmatch(part)
    if found is None:
        return part
    first, last = _day(found["day"]), _day(found["to"] or found["day"])
    days = range(first, last + 1 + 7 * (last < first), int(found["step"] or 1))
    return ",".join(DAYS[day % 7] for day in days)


def _day(name: str) -> int:
    return int(name) if name.isdecimal() else DAYS.index(name)
