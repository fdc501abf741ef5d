"""What MLflow's refusals mean, where somebody waits for an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from perijove.errors import Conflict, InvalidInput, NotFound

FIELDS = {"experiment": "experiment", "run": "run_id"}
"""What is at fault where one is missing, if nothing else is said."""
LISTS = {
    "experiment": "See: perijove experiment list.",
    "run": "See: perijove run list EXPERIMENT.",
}
"""Where those that are there are found."""
TIMES = re.compile(
    r"(?:^|[\s(])(?:attr(?:ibute)?s?\.|run\.)?`?(\w*_time|created)`?\s*[<>=!]+\s*(-?\d{19,})",
    re.IGNORECASE,
)
"""Times in a filter that may be too large for a database."""


def check_times(text: str) -> None:
    """Refuse what MLflow would fail at, as if it were broken itself.

    Raises
    ------
    InvalidInput: a time in the filter does not fit in 64 bits.
    """
    for name, number in TIMES.findall(text):
        if not -(2**63) <= int(number[:30]) < 2**63:
            raise InvalidInput(
                f"{number[:40]} is no value for {name}: it does not fit in 64 bits.",
                field="filter",
                remedy="Times are milliseconds since 1970.",
            )


def said(error: InvalidInput) -> str:
    """MLflow's own sentence."""
    return error.message.partition(": ")[2] or error.message


def part(error: InvalidInput, text: str, order_by: Sequence[str]) -> str:
    """The part of a search that MLflow does not take."""
    if not text:
        return "order_by" if order_by else "experiment_ids"
    ordering = order_by and "order" in error.message.lower()
    return "order_by" if ordering else "filter"


class about:
    """MLflow's refusals within are said of this thing."""

    def __init__(self, kind: str, name: str, *, field: str | None = None) -> None:
        self._kind, self._name, self._field = kind, name, field

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        if not isinstance(error, InvalidInput):
            return
        message = said(error)
        if error.field == "RESOURCE_DOES_NOT_EXIST":
            raise self._missing() from None
        if error.field == "RESOURCE_ALREADY_EXISTS":
            raise taken(self._name) from None
        if (
            error.field == "INVALID_PARAMETER_VALUE"
            and self._kind == "run"
            and "run id" in message.lower()
        ):
            raise self._missing() from None
        raise InvalidInput(message, field=self._field) from None

    def _missing(self) -> NotFound:
        field = self._field or FIELDS.get(self._kind)
        return NotFound(
            f"There is no {self._kind} {self._name[:128]}.",
            field=field,
            remedy=LISTS.get(self._kind),
        )


def taken(name: str) -> Conflict:
    """An experiment's name that is."""
    return Conflict(
        f"There is an experiment named {name[:128]} already.",
        field="name",
        remedy="Choose another name, or restore it if it was deleted.",
    )
