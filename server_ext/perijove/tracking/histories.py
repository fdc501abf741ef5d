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
from collections.abc import Iterable, Sequence
from contextlib import suppress
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
MANY = 20_000
"""Points of a run that are worth to be read before they are asked for."""
ROWS = 500
"""Rows that are read at a time: few, so that Python uses their memory again for the next ones, and
its garbage collector has nothing to look at. 50,000 take three times as long."""
METRICS, RUNS = SqlMetric.__table__.c, SqlRun.__table__.c


@dataclass
class _History:
    """What is known of a run, in the order of logging: steps, times, values of each key."""

    last: int = 0
    points: int = 0
    columns: dict[str, Columns] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def forget(self) -> None:
        """It was of a run that is no more, whose rows' numbers others have now."""
        self.last, self.points, self.columns = 0, 0, {}

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
        history = self._history(run_id)
        with history.lock:
            if not _is_there(connection, run_id, history.last):
                history.forget()
            history.add(*_since(connection, run_id, history.last))
            found = dict(history.columns), str(history.last)
        with self._lock:
            while len(self._known) > 1 and self._points() > KEPT_POINTS:
                self._known.popitem(last=False)
        return found

    def _history(self, run_id: str) -> _History:
        """What is known of a run, which is the one that was looked at last now."""
        with self._lock:
            history = self._known.setdefault(run_id, _History())
            self._known.move_to_end(run_id)
            return history

    def counts(self, run_id: str) -> dict[str, int]:
        """How many points each metric of a run has. Who asks looks at the run, and at its charts
        next: if that takes long it is begun now."""
        count = (
            sa.select(METRICS.key, sa.func.count())
            .where(METRICS.run_uuid == run_id)
            .group_by(METRICS.key)
        )
        history = self._known.get(run_id)
        with self._engine.connect() as connection:
            if history is not None and history.lock.acquire(blocking=False):
                try:
                    if history.last and _is_there(connection, run_id, history.last):
                        history.add(*_since(connection, run_id, history.last))
                        return {key: len(found[0]) for key, found in history.columns.items()}
                finally:
                    history.lock.release()
            if history is None and self._numbered and _is_long(connection, run_id):
                # at once: counting them takes a tenth of a second
                threading.Thread(target=self._prepare, args=(run_id,), daemon=True).start()
            return {str(key): int(number) for key, number in connection.execute(count)}

    def _prepare(self, run_id: str) -> None:
        with suppress(sa.exc.SQLAlchemyError), self._engine.connect() as connection:
            self._read(connection, run_id, None)

    def _points(self) -> int:
        return sum(history.points for history in self._known.values())

    def _counted(
        self, connection: sa.Connection, run_id: str, after: str | None
    ) -> tuple[dict[str, Columns], str]:
        """Without row numbers: all of it, and of each key what is beyond a count."""
        statement = (
            sa.select(
                METRICS.key, METRICS.step, METRICS.timestamp,
                sa.case((METRICS.is_nan == sa.true(), None), else_=METRICS.value),
            )
            .where(METRICS.run_uuid == run_id)
            .order_by(METRICS.timestamp, METRICS.step)
        )  # fmt: skip
        return since_counts(_columns(connection.execute(statement).partitions(ROWS)), after)


def _since(connection: sa.Connection, run_id: str, last: int) -> tuple[int, dict[str, Columns]]:
    """The number of the run's last row, and the points in rows beyond `last`."""
    cursor: Any = connection.connection.cursor()
    cursor.execute("SELECT max(rowid) FROM metrics WHERE run_uuid = ?", (run_id,))
    newest = cursor.fetchone()[0]
    if newest is None or newest <= last:
        return last, {}
    cursor.execute(
        "SELECT key, step, timestamp, CASE WHEN is_nan THEN NULL ELSE value END FROM metrics"
        " WHERE run_uuid = ? AND rowid > ? AND rowid <= ? ORDER BY rowid",
        (run_id, last, newest),
    )
    return newest, _columns(iter(lambda: cursor.fetchmany(ROWS), []))


def _joined(parts: Sequence[Columns]) -> Columns:
    if len(parts) == 1:
        return parts[0]
    steps, times, values = zip(*parts, strict=True)
    return np.concatenate(steps), np.concatenate(times), np.concatenate(values)


def _is_long(connection: sa.Connection, run_id: str) -> bool:
    """Has it MANY points, but not too many to be kept?"""
    points = "FROM metrics WHERE run_uuid = :run_id"
    many = sa.text(f"SELECT 1 {points} LIMIT 1 OFFSET {MANY}")
    span = sa.text(f"SELECT (SELECT max(rowid) {points}) - (SELECT min(rowid) {points})")
    about = {"run_id": run_id}
    if connection.execute(many, about).first() is None:
        return False
    return bool(connection.execute(span, about).scalar_one() < KEPT_POINTS)


def _is_there(connection: sa.Connection, run_id: str, last: int) -> bool:
    """Is the last point that is known still the run's?"""
    query = sa.text("SELECT 1 FROM metrics WHERE rowid = :last AND run_uuid = :run_id")
    return last == 0 or (
        connection.execute(query, {"last": last, "run_id": run_id}).first() is not None
    )


def _columns(pieces: Iterable[Sequence[Any]]) -> dict[str, Columns]:
    """Rows of key, step, time and value (None: NaN), as columns of each key."""
    numbers: dict[str, int] = {}
    parts = []
    for rows in pieces:
        keys, steps, times, values = zip(*rows, strict=True)
        for key in dict.fromkeys(keys):
            numbers.setdefault(key, len(numbers))
        which = np.fromiter(map(numbers.__getitem__, keys), np.int32, len(keys))
        parts.append((which, np.array(steps, np.int64), np.array(times, np.int64),
                      np.array(values, np.float64)))  # fmt: skip
    if not parts:
        return {}
    which, *columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    if len(numbers) > 1:
        order = np.argsort(which, kind="stable")
        columns = [column[order] for column in columns]
    ends = np.cumsum(np.bincount(which))[:-1]
    split = zip(*(np.split(column, ends) for column in columns), strict=True)
    return dict(zip(numbers, split, strict=True))


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and int(cursor) < 2**63):
        raise InvalidInput(f"{cursor[:80]!r} is no cursor.", field="after")
    return int(cursor)
