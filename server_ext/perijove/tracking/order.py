"""An order of runs that MLflow's API does not know: by duration."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from perijove.errors import InvalidInput

DURATION = re.compile(r"attr(?:ibute)?s?\.duration(?:\s+(?P<way>asc|desc))?", re.IGNORECASE)
"""A column of ours."""
Runs = list[dict[str, Any]]


def own_order(order_by: Sequence[str]) -> tuple[list[str], Callable[[Runs], Runs]]:
    """The order to ask a server for, and what remains to be done with its answer.

    Raises
    ------
    InvalidInput: duration comes after another column, which a server cannot do.
    """
    matches = [DURATION.fullmatch(clause.strip()) for clause in order_by]
    if not any(matches):
        return list(order_by), lambda runs: runs
    first = matches[0]
    if first is None or any(matches[1:]):
        raise InvalidInput(
            "This MLflow server can order by attributes.duration only before other columns.",
            field="order_by",
        )
    descending = (first["way"] or "asc").lower() == "desc"

    def key(run: dict[str, Any]) -> tuple[bool, int]:
        lasted = _duration(run)
        return lasted is None, (lasted or 0) * (-1 if descending else 1)

    return list(order_by[1:]), lambda runs: sorted(runs, key=key)


def _duration(run: dict[str, Any]) -> int | None:
    info = run["info"]
    if info.get("end_time") is None or info.get("start_time") is None:
        return None
    return int(info["end_time"]) - int(info["start_time"])
