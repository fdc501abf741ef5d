"""Histories of metrics, read inside MLflow's own process.

Reading a million points from SQLite takes seconds, and a chart asks for them again and again. So
the columns of the runs looked at last are kept, and every question first reads what came since.
They cannot lie: MLflow only ever adds points, in the order of ``rowid``, and removes them with
their run alone.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sqlalchemy as sa
from mlflow.store.tracking.dbmodels.models import SqlMetric, SqlRun

from perijove.errors import InvalidInput, NotFound
from perijove.models.runs import HistoryWish
from perijove.tracking.thinning import Columns, shown, since_counts

KEPT_POINTS = 4_000_000
"""Points of all runs that are kept: 24 bytes each."""
ROWS = 50_000
"""Rows that are read at a time."""
METRICS, RUNS = SqlMetric.__table__.c, SqlRun.__table__.c


@dataclass
class _History:
    """What is known of a run, in the order of logging: steps, times, values of each key."""

    last: int = 0
    points: int = 0
    columns: dict[str, Columns] = field(default_factory=dict)

    def add(self, last: int, fresh: dict[str, Columns]) -> None:
        """What came since, up to a row's number."""
        self.last = last
        for key, columns in fresh.items():
            self.points += len(columns[0])
            known = self.columns.get(key)
            self.columns[key] = columns if known is None else _joined([known, columns])


class Histories:
    """Answers questions for histories; used from several threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._known: OrderedDict[str, _History] = OrderedDict()
        self._lock = threading.Lock()
        self._numbered = engine.dialect.name == "sqlite"

    def answer(self, wish: HistoryWish) -> bytes:
        """See `Records.history`."""
        found = []
        with self._engine.connect() as connection:
            statuses: dict[str, str] = dict(
                connection.execute(
                    sa.select(RUNS.run_uuid, RUNS.status).where(RUNS.run_uuid.in_(wish.run_ids))
                ).all()
            )
            for run_id in wish.run_ids:
                if run_id not in statuses:
                    raise NotFound(f"There is no run {run_id[:64]}.", field="run_ids")
                columns, cursor = self._read(connection, run_id, wish.after.get(run_id))
                found.append(
                    {
                        "run_id": run_id,
                        "series": list(shown(columns, wish)),
                        "cursor": cursor,
                        "complete": statuses[run_id] not in ("RUNNING", "SCHEDULED"),
                    }
                )
        return json.dumps(found, separators=(",", ":")).encode()

    def _read(
        self, connection: sa.Connection, run_id: str, after: str | None
    ) -> tuple[dict[str, Columns], str]:
        if not self._numbered:
            return self._counted(connection, run_id, after)
        if after is not None:
            number = _number(after)
            last, fresh = _since(connection, run_id, number)
            return fresh, str(last)
        with self._lock:
            history = self._known.pop(run_id, None)
            if history is None or not _is_there(connection, run_id, history.last):
                history = _History()
            history.add(*_since(connection, run_id, history.last))
            self._known[run_id] = history
            while len(self._known) > 1 and self._points() > KEPT_POINTS:
                self._known.popitem(last=False)
            return dict(history.columns), str(history.last)

    def counts(self, run_id: str) -> dict[str, int]:
        """How many points each metric of a run has."""
        with self._lock, self._engine.connect() as connection:
            history = self._known.get(run_id)
            if history is not None and _is_there(connection, run_id, history.last):
                history.add(*_since(connection, run_id, history.last))
                return {key: len(found[0]) for key, found in history.columns.items()}
        count = (
            sa.select(METRICS.key, sa.func.count())
            .where(METRICS.run_uuid == run_id)
            .group_by(METRICS.key)
        )
        with self._engine.connect() as connection:
            return {str(key): int(number) for key, number in connection.execute(count)}

    def _points(self) -> int:
        return sum(history.points for history in self._known.values())

    def _counted(
        self, connection: sa.Connection, run_id: str, after: str | None
    ) -> tuple[dict[str, Columns], str]:
        """Without row numbers: all of it, and of each key what is beyond a count."""
        statement = (
            sa.select(
                sa.literal(0), METRICS.key, METRICS.step, METRICS.timestamp, METRICS.value,
                METRICS.is_nan,
            )
            .where(METRICS.run_uuid == run_id)
            .order_by(METRICS.timestamp, METRICS.step)
        )  # fmt: skip
        return since_counts(_columns(connection.execute(statement).all()), after)


def _since(connection: sa.Connection, run_id: str, last: int) -> tuple[int, dict[str, Columns]]:
    """The number of the run's last row, and the points in rows beyond `last`."""
    cursor: Any = connection.connection.cursor()
    cursor.execute(
        "SELECT rowid, key, step, timestamp, value, is_nan FROM metrics"
        " WHERE run_uuid = ? AND rowid > ? ORDER BY rowid",
        (run_id, last),
    )
    parts: dict[str, list[Columns]] = {}
    # in pieces that stay in the processor's cache: a million tuples at once take twice as long
    while rows := cursor.fetchmany(ROWS):
        last = rows[-1][0]
        for key, columns in _columns(rows).items():
            parts.setdefault(key, []).append(columns)
    return last, {key: _joined(found) for key, found in parts.items()}


def _joined(parts: Sequence[Columns]) -> Columns:
    if len(parts) == 1:
        return parts[0]
    steps, times, values = zip(*parts, strict=True)
    return np.concatenate(steps), np.concatenate(times), np.concatenate(values)


def _is_there(connection: sa.Connection, run_id: str, last: int) -> bool:
    """Is the last point that is known still the run's?"""
    query = sa.text("SELECT 1 FROM metrics WHERE rowid = :last AND run_uuid = :run_id")
    return last == 0 or (
        connection.execute(query, {"last": last, "run_id": run_id}).first() is not None
    )


def _columns(rows: Sequence[Any]) -> dict[str, Columns]:
    if not rows:
        return {}
    _, keys, steps, times, values, nans = zip(*rows, strict=True)
    all_steps, all_times = np.array(steps, dtype=np.int64), np.array(times, dtype=np.int64)
    all_values = np.array(values, dtype=np.float64)
    all_values[np.array(nans, dtype=bool)] = np.nan
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    if len(numbers) == 1:
        return {keys[0]: (all_steps, all_times, all_values)}
    which = np.fromiter(map(numbers.__getitem__, keys), np.int32, len(keys))
    found = {}
    for key, number in numbers.items():
        mine = which == number
        found[key] = all_steps[mine], all_times[mine], all_values[mine]
    return found


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and int(cursor) < 2**63):
        raise InvalidInput(f"{cursor[:80]!r} is no cursor.", field="after")
    return int(cursor)
