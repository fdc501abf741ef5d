"""Times at which something is to happen."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEKDAY = re.compile(r"(?<![\d/])[0-7](?!\d)")


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
            self._trigger()
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

    def _trigger(self) -> Any:
        from apscheduler.triggers.cron import CronTrigger

        fields = self.cron.split()
        if len(fields) == 5:
            # cron counts the days of a week from Sunday, the library from Monday
            fields[4] = WEEKDAY.sub(lambda found: DAYS[int(found[0])], fields[4])
        return CronTrigger.from_crontab(" ".join(fields), timezone=self.timezone)
