"""The words of columns and values: how MLflow writes them, how rows bring them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from perijove.errors import InvalidInput
from perijove.models.runs import Value

_COLUMN = re.compile(
    r"(?P<kind>metric|param|parameter|tag|attribute|attr|run)s?\."
    r"(?:`(?P<a>[^`]+)`|\"(?P<b>[^\"]+)\"|(?P<c>.+))",
    re.DOTALL,
)
_KINDS = {"metric": "metrics", "param": "params", "parameter": "params", "tag": "tags"}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
LARGEST = 1.7976931348623157e308
"""What MLflow's databases keep for infinity."""

PARENT, RUN_NAME, NOTE = "mlflow.parentRunId", "mlflow.runName", "mlflow.note.content"
USER, SOURCE, JOB = "mlflow.user", "mlflow.source.name", "perijove.job_id"
COMMIT = "mlflow.source.git.commit"
ROW_TAGS = (PARENT, RUN_NAME, USER, SOURCE, COMMIT, JOB)
"""Tags that every row needs, whatever columns are asked for."""
_OURS = ("mlflow.", "perijove.")


@dataclass
class Chosen:
    """The keys of each kind that rows bring; None: all of them."""

    metrics: set[str] | None = None
    params: set[str] | None = None
    tags: set[str] | None = None

    def shows(self, tag: str) -> bool:
        """Does a row bring this tag?"""
        return is_own(tag) if self.tags is None else tag in self.tags


def chosen(columns: Sequence[str] | None) -> Chosen:
    """What a list of columns names.

    Raises
    ------
    InvalidInput: one of them is no column.
    """
    if columns is None:
        return Chosen()
    found: dict[str, set[str]] = {"metrics": set(), "params": set(), "tags": set()}
    for column in columns:
        match = _COLUMN.fullmatch(column)
        if match is None:
            raise InvalidInput(
                f"{column[:80]!r} is no column.",
                field="columns",
                remedy="Columns are written metrics.auc, params.`learning rate`, tags.owner.",
            )
        kind = _KINDS.get(match["kind"])
        if kind is not None:
            found[kind].add(match["a"] or match["b"] or match["c"])
    return Chosen(**found)


def column_name(kind: str, key: str) -> str:
    """How MLflow's filters write it."""
    return f"{kind}.{key if _PLAIN.fullmatch(key) else _quoted(key)}"


def _quoted(key: str) -> str:
    return f'"{key}"' if "`" in key else f"`{key}`"


def is_own(tag: str) -> bool:
    """Is it the user's own, neither MLflow's nor ours?"""
    return not tag.startswith(_OURS)


def value(number: float | None, is_nan: bool = False) -> Value:
    """A metric as JSON has it."""
    if number is None or is_nan or math.isnan(number):
        return "NaN"
    if abs(number) >= LARGEST:
        return "Infinity" if number > 0 else "-Infinity"
    return number


def moment(milliseconds: int | None) -> str | None:
    """RFC 3339, in UTC."""
    if milliseconds is None or milliseconds < 0:
        return None
    try:
        found = datetime.fromtimestamp(milliseconds // 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None  # clients may log any number
    return f"{found:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def row(
    run_id: str,
    experiment_id: str,
    name: str | None,
    status: str,
    stage: str,
    user: str | None,
    started: int | None,
    ended: int | None,
    tags: dict[str, str],
) -> dict[str, Any]:
    """A `RunRow` without its metrics, parameters and tags."""
    running = status in ("RUNNING", "SCHEDULED")
    over = ended is not None and started is not None and not running
    return {
        "run_id": run_id,
        "name": name or tags.get(RUN_NAME) or run_id[:8],
        "experiment_id": experiment_id,
        "status": status,
        "lifecycle_stage": stage,
        "user": user or tags.get(USER) or None,
        "started_at": moment(started),
        "ended_at": moment(ended),
        "duration": ((ended or 0) - (started or 0)) / 1000 if over else None,
        "job_id": tags.get(JOB),
        "parent_run_id": tags.get(PARENT),
        "children": 0,
        "source": tags.get(SOURCE),
        "commit": tags.get(COMMIT),
        "metrics": {},
        "params": {},
        "tags": {},
    }


def is_number(text: str | None) -> bool:
    """Does the text of a parameter read as a number?"""
    try:
        float(text or "")
    except ValueError:
        return False
    return True
