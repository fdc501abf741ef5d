"""What lists say of experiments and of their runs' columns, and changes of many runs at once,
inside MLflow's own process.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from mlflow.store.tracking.dbmodels.models import (
    SqlExperiment,
    SqlExperimentTag,
    SqlLatestMetric,
    SqlParam,
    SqlRun,
    SqlTag,
)
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from perijove.errors import NotFound
from perijove.models.experiments import Experiment, Lifecycle, View
from perijove.models.runs import Column
from perijove.tracking.columns import NOTE, column_name, is_number, moment
from perijove.tracking.search import STAGES, is_id

CHUNK = 500
"""Runs that are changed in one statement."""
EXPERIMENTS, RUNS = SqlExperiment.__table__.c, SqlRun.__table__.c
EXPERIMENT_TAGS = SqlExperimentTag.__table__.c


def experiments(engine: sa.Engine, view: View, only: str | None = None) -> list[Experiment]:
    """See `Records.experiments`; `only`: the one of this id."""
    active = RUNS.lifecycle_stage == "active"
    counts = (
        sa.select(
            RUNS.experiment_id,
            sa.func.sum(sa.case((active, 1), else_=0)),
            sa.func.sum(sa.case((sa.and_(active, RUNS.status == "RUNNING"), 1), else_=0)),
            sa.func.max(RUNS.start_time),
        )
        .group_by(RUNS.experiment_id)
    )  # fmt: skip
    listed = sa.select(
        EXPERIMENTS.experiment_id, EXPERIMENTS.name, EXPERIMENTS.lifecycle_stage,
        EXPERIMENTS.artifact_location, EXPERIMENTS.creation_time, EXPERIMENTS.last_update_time,
    ).where(EXPERIMENTS.lifecycle_stage.in_(STAGES[view]))  # fmt: skip
    texts = sa.select(EXPERIMENT_TAGS.experiment_id, EXPERIMENT_TAGS.key, EXPERIMENT_TAGS.value)
    if only is not None:
        if not is_id(only):
            return []
        counts = counts.where(RUNS.experiment_id == int(only))
        listed = listed.where(EXPERIMENTS.experiment_id == int(only))
        texts = texts.where(EXPERIMENT_TAGS.experiment_id == int(only))
    with engine.connect() as connection:
        counted = {row[0]: row[1:] for row in connection.execute(counts)}
        tags: dict[int, dict[str, str]] = {}
        for experiment_id, key, text in connection.execute(texts):
            tags.setdefault(experiment_id, {})[key] = text or ""
        found = []
        for number, name, stage, location, created, updated in connection.execute(listed):
            runs, running, started = counted.get(number, (0, 0, None))
            mine = tags.get(number, {})
            used = max(created or 0, updated or 0, started or 0)
            experiment = Experiment.model_validate(
                {
                    "id": str(number),
                    "name": name,
                    "lifecycle_stage": stage,
                    "description": mine.get(NOTE),
                    "tags": mine,
                    "artifact_location": location,
                    "created_at": moment(created),
                    "updated_at": moment(updated),
                    "runs": runs,
                    "running": running,
                    "last_run_at": moment(started),
                }
            )
            found.append((used, number, experiment))
    found.sort(key=lambda item: item[:2], reverse=True)
    return [experiment for _, _, experiment in found]


def columns(engine: sa.Engine, experiment_ids: Sequence[str]) -> list[Column]:
    """See `Records.columns`."""
    mine = sa.select(RUNS.run_uuid).where(
        RUNS.experiment_id.in_([int(i) for i in experiment_ids if is_id(i)]),
        RUNS.lifecycle_stage == "active",
    )
    with engine.connect() as connection:
        found = list(_columns(connection, mine))
    return sorted(found, key=lambda column: (-column.runs, column.name))


def _columns(connection: sa.Connection, runs: Any) -> Iterator[Column]:
    table = SqlLatestMetric.__table__.c
    counts = sa.select(table.key, sa.func.count()).where(table.run_uuid.in_(runs))
    for key, number in connection.execute(counts.group_by(table.key)):
        name = column_name("metrics", key)
        yield Column(name=name, kind="metric", key=key, runs=number, numeric=True)
    for entity, kind in ((SqlParam, "param"), (SqlTag, "tag")):
        table = entity.__table__.c
        counts = sa.select(
            table.key, sa.func.count(), sa.func.min(table.value), sa.func.max(table.value)
        ).where(table.run_uuid.in_(runs))
        if kind == "tag":
            counts = counts.where(
                sa.not_(table.key.like("mlflow.%")), sa.not_(table.key.like("perijove.%"))
            )
        for key, number, low, high in connection.execute(counts.group_by(table.key)):
            yield Column.model_validate(
                {
                    "name": column_name(f"{kind}s", key),
                    "kind": kind,
                    "key": key,
                    "runs": number,
                    "numeric": is_number(low) and is_number(high),
                }
            )


def move_runs(store: SqlAlchemyStore, run_ids: Sequence[str], stage: Lifecycle) -> list[str]:
    """See `Records.move_runs`; returns the experiments' ids. One transaction: all or none."""
    mark = store._mark_run_deleted if stage is Lifecycle.DELETED else store._mark_run_active
    touched: set[str] = set()
    with store.ManagedSessionMaker(read_only=False) as session:
        missing = set(run_ids)
        for start in range(0, len(run_ids), CHUNK):
            chunk = list(run_ids[start : start + CHUNK])
            for run in session.query(SqlRun).filter(SqlRun.run_uuid.in_(chunk)).all():
                missing.discard(run.run_uuid)
                if run.lifecycle_stage != stage.value:
                    touched.add(str(run.experiment_id))
                    mark(session, run)
        if missing:
            session.rollback()
    if missing:  # the store would make an error of MLflow's of it
        first = min(missing)
        raise NotFound(
            f"There is no run {first[:64]!r}; none was changed.",
            field="run_ids",
            remedy="See: perijove run list EXPERIMENT.",
        )
    return sorted(touched)


def as_json(items: Sequence[Any]) -> bytes:
    """A list of models."""
    return json.dumps([item.model_dump(mode="json") for item in items]).encode()
