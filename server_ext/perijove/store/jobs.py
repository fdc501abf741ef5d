"""Jobs, attempts and the outbox in SQLAlchemy."""

from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from sqlalchemy import Engine, Row, delete, func, insert, select, update

from perijove.abc import JobStore, OutboxStep
from perijove.models.jobs import ACTIVE_STATES, TERMINAL_STATES, Job, JobState, Progress
from perijove.store.tables import attempts, jobs, outbox

RECENT = 256
"""Jobs that are known without a question: one that runs is looked up some thirty times."""


class SqlJobStore(JobStore):
    """See `JobStore`. Thread-safe; one instance per database writes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._recent: dict[str, Job] = {}
        with engine.connect() as connection:
            self._revision: int = connection.scalar(select(func.max(jobs.c.revision))) or 0

    def add(self, job: Job) -> bool:
        with self._lock, self._engine.begin() as connection:
            if connection.scalar(select(jobs.c.id).where(jobs.c.id == job.id)):
                return False
            row = job.model_dump(exclude={"progress"})
            row |= {"done": job.progress.done, "total": job.progress.total}
            connection.execute(insert(jobs).values(_plain(row | {"revision": self._revision + 1})))
            connection.execute(insert(outbox).values(job_id=job.id, step="start"))
            self._revision += 1
        return True

    def get(self, job_id: str) -> Job | None:
        if (recent := self._recent.get(job_id)) is not None:
            return recent
        with self._engine.connect() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job_id)).first()
        return None if row is None else _job(row)

    def find(self, prefix: str) -> list[Job]:
        query = select(jobs).where(jobs.c.id.startswith(prefix, autoescape=True), ~jobs.c.deleted)
        with self._engine.connect() as connection:
            return [_job(row) for row in connection.execute(query.limit(2))]

    def update(
        self,
        job_id: str,
        *,
        expect: Collection[JobState] | None = None,
        outbox: str | None = None,
        attempt_begins: int | None = None,
        attempt_ends: int | None = None,
        attempt_undone: int | None = None,
        **changes: object,
    ) -> Job | None:
        now = datetime.now(UTC)
        with self._lock:
            with self._engine.begin() as connection:
                query = update(jobs).where(jobs.c.id == job_id)
                if expect is not None:
                    query = query.where(jobs.c.state.in_([state.value for state in expect]))
                values = _plain(changes) | {"revision": self._revision + 1}
                row = connection.execute(query.values(values).returning(jobs)).first()
                if row is None:
                    return None
                if outbox is not None:
                    connection.execute(insert(_outbox).values(job_id=job_id, step=outbox))
                if attempt_begins is not None:
                    connection.execute(
                        insert(attempts).values(job_id=job_id, attempt=attempt_begins, begun_at=now)
                    )
                if attempt_ends is not None:
                    connection.execute(
                        update(attempts)
                        .where(attempts.c.job_id == job_id, attempts.c.attempt == attempt_ends)
                        .values(ended_at=now)
                    )
                if attempt_undone is not None:
                    connection.execute(
                        delete(attempts).where(
                            attempts.c.job_id == job_id, attempts.c.attempt == attempt_undone
                        )
                    )
                self._revision += 1
            job = _job(row)
            self._remember(job)
        return job

    def page(
        self,
        *,
        states: Collection[JobState] = (),
        experiment: str | None = None,
        name: str | None = None,
        limit: int = 100,
        before: str | None = None,
    ) -> list[Job]:
        query = select(jobs).where(~jobs.c.deleted)
        if states:
            query = query.where(jobs.c.state.in_([state.value for state in states]))
        if experiment is not None:
            query = query.where(jobs.c.experiment == experiment)
        if name is not None:
            query = query.where(jobs.c.name == name)
        with self._engine.connect() as connection:
            if before is not None:
                moment = select(jobs.c.created_at).where(jobs.c.id == before).scalar_subquery()
                query = query.where(
                    (jobs.c.created_at < moment)
                    | ((jobs.c.created_at == moment) & (jobs.c.id < before))
                )
            query = query.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit)
            return [_job(row) for row in connection.execute(query)]

    def queued(self, compute: str, limit: int, without: Collection[str] = ()) -> list[Job]:
        query = select(jobs).where(jobs.c.state == JobState.QUEUED.value, jobs.c.compute == compute)
        if without:
            known = jobs.c.environment
            query = query.where(known.is_(None) | known.not_in(list(without)))
        with self._engine.connect() as connection:
            order = (jobs.c.priority.desc(), jobs.c.created_at, jobs.c.id)
            found = connection.execute(query.order_by(*order).limit(limit))
            return [_job(row) for row in found]

    def queued_in(self, environments: Collection[str]) -> list[Job]:
        query = select(jobs).where(
            jobs.c.state == JobState.QUEUED.value, jobs.c.environment.in_(list(environments))
        )
        with self._engine.connect() as connection:
            found = connection.execute(query.order_by(jobs.c.created_at, jobs.c.id))
            return [_job(row) for row in found]

    def active(self) -> list[Job]:
        query = select(jobs).where(jobs.c.state.in_([state.value for state in ACTIVE_STATES]))
        with self._engine.connect() as connection:
            found = connection.execute(query.order_by(jobs.c.created_at, jobs.c.id))
            return [_job(row) for row in found]

    def open_attempts(self) -> list[tuple[str, int]]:
        query = select(attempts.c.job_id, attempts.c.attempt).where(attempts.c.ended_at.is_(None))
        with self._engine.connect() as connection:
            return [(row.job_id, row.attempt) for row in connection.execute(query)]

    def changed_since(self, revision: int, limit: int) -> list[Job]:
        query = select(jobs).where(jobs.c.revision > revision).order_by(jobs.c.revision)
        with self._engine.connect() as connection:
            return [_job(row) for row in connection.execute(query.limit(limit))]

    def revision(self) -> int:
        return self._revision

    def counts(self) -> dict[JobState, int]:
        query = select(jobs.c.state, func.count()).where(~jobs.c.deleted).group_by(jobs.c.state)
        with self._engine.connect() as connection:
            return {JobState(state): count for state, count in connection.execute(query)}

    def queued_counts(self) -> dict[str, int]:
        query = select(jobs.c.compute, func.count()).where(jobs.c.state == JobState.QUEUED.value)
        with self._engine.connect() as connection:
            found = connection.execute(query.where(~jobs.c.deleted).group_by(jobs.c.compute))
            return {str(compute): int(count) for compute, count in found}

    def ended_before(self, moment: datetime) -> list[Job]:
        query = select(jobs).where(
            jobs.c.state.in_([state.value for state in TERMINAL_STATES]),
            jobs.c.ended_at < moment,
            ~jobs.c.deleted,
        )
        with self._engine.connect() as connection:
            return [_job(row) for row in connection.execute(query.order_by(jobs.c.ended_at))]

    def outbox(self, skip: Collection[str] = (), limit: int = 16) -> list[OutboxStep]:
        first = select(func.min(_outbox.c.id)).group_by(_outbox.c.job_id)
        query = select(_outbox).where(_outbox.c.id.in_(first), _outbox.c.job_id.not_in(list(skip)))
        with self._engine.connect() as connection:
            found = connection.execute(query.order_by(_outbox.c.id).limit(limit))
            return [OutboxStep(row.id, row.job_id, row.step) for row in found]

    def outbox_done(self, step: OutboxStep) -> None:
        with self._lock, self._engine.begin() as connection:
            connection.execute(_outbox.delete().where(_outbox.c.id == step.id))

    def outbox_size(self) -> int:
        query = select(func.count()).where(_outbox.c.step == "finish")
        with self._engine.connect() as connection:
            return connection.scalar(query) or 0

    def close(self) -> None:
        self._engine.dispose()

    def _remember(self, job: Job) -> None:
        """As it was written; the one that was written longest ago is forgotten."""
        self._recent.pop(job.id, None)
        self._recent[job.id] = job
        if len(self._recent) > RECENT:
            del self._recent[next(iter(self._recent))]


_outbox = outbox  # `update` has a keyword of that name


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: v.value if isinstance(v, Enum) else v for key, v in values.items()}


def _job(row: Row[Any]) -> Job:
    values = dict(row._mapping)
    progress = Progress(done=values.pop("done"), total=values.pop("total"))
    return Job.model_validate(values | {"progress": progress})
