"""Searches runs inside MLflow's own process, on its own database.

The filter language is parsed by MLflow and means what it means there. What is ours is the SQL:
one statement for the order, over the tables' own keys, and one for each kind of value of the
rows that are answered, where MLflow joins every condition and loads every run as an object.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.dbmodels.models import (
    SqlDataset,
    SqlInput,
    SqlInputTag,
    SqlLatestMetric,
    SqlParam,
    SqlRun,
    SqlTag,
)
from mlflow.utils.search_utils import SearchUtils

from perijove.errors import InvalidInput
from perijove.models.experiments import View
from perijove.models.runs import RunSearch
from perijove.tracking.columns import PARENT, ROW_TAGS, RUN_NAME, Chosen, chosen, row, value
from perijove.tracking.order import DURATION

CHUNK = 2000
"""Ids in one statement; databases limit how many parameters it may have."""


RUNS = SqlRun.__table__.c
METRICS, PARAMS, TAGS = (entity.__table__.c for entity in (SqlLatestMetric, SqlParam, SqlTag))
DATASETS, INPUTS, INPUT_TAGS = (
    entity.__table__.c for entity in (SqlDataset, SqlInput, SqlInputTag)
)
STAGES = {View.ACTIVE: ["active"], View.DELETED: ["deleted"], View.ALL: ["active", "deleted"]}


def search(engine: sa.Engine, question: RunSearch) -> bytes:
    """See `Records.search`."""
    wanted = chosen(question.columns)
    where = list(_where(question, engine.dialect.name))
    # nested runs that are left out are counted all the same
    shown = RUNS.run_uuid.not_in(_below(question)) if question.parents_only else sa.true()
    joins, order = _order(question.order_by)
    counts = sa.select(
        sa.func.count(),
        sa.func.sum(sa.case((shown, 1), else_=0)),
        sa.func.sum(sa.case((RUNS.status == "RUNNING", 1), else_=0)),
    ).where(*where)
    source: Any = SqlRun.__table__
    for table, condition in joins:
        source = source.outerjoin(table, condition)
    page = (
        sa.select(
            RUNS.run_uuid, RUNS.experiment_id, RUNS.name, RUNS.status, RUNS.lifecycle_stage,
            RUNS.user_id, RUNS.start_time, RUNS.end_time,
        )
        .select_from(source).where(*where, shown).order_by(*order)
        .offset(question.offset).limit(question.limit)
    )  # fmt: skip
    with engine.connect() as connection:
        counted, total, running = (count or 0 for count in connection.execute(counts).one())
        found = connection.execute(page).all() if question.limit else []
        rows = _rows(connection, found, wanted)
    answer = {
        "total": total,
        "nested": counted - total,
        "running": running,
        "offset": question.offset,
        "runs": rows,
    }
    return json.dumps(answer, separators=(",", ":")).encode()


def _rows(connection: sa.Connection, found: Sequence[Any], wanted: Chosen) -> list[dict[str, Any]]:
    ids = [run[0] for run in found]
    tags: dict[str, dict[str, str]] = {run_id: {} for run_id in ids}
    for run_id, key, text in _tags(connection, ids, wanted):
        tags[run_id][key] = text
    rows = {
        r[0]: row(r[0], str(r[1]), r[2], r[3], r[4], r[5], r[6], r[7], tags[r[0]]) for r in found
    }
    for run_id, made in rows.items():
        made["tags"] = {key: text for key, text in tags[run_id].items() if wanted.shows(key)}
    columns: tuple[Any, ...]
    if wanted.metrics is None or wanted.metrics:
        columns = (METRICS.run_uuid, METRICS.key, METRICS.value, METRICS.is_nan)
        for run_id, key, number, is_nan in _values(connection, columns, ids, wanted.metrics):
            rows[run_id]["metrics"][key] = value(number, is_nan)
    if wanted.params is None or wanted.params:
        columns = (PARAMS.run_uuid, PARAMS.key, PARAMS.value)
        for run_id, key, text in _values(connection, columns, ids, wanted.params):
            rows[run_id]["params"][key] = text
    children = (
        sa.select(TAGS.value, sa.func.count())
        .join_from(SqlTag.__table__, SqlRun.__table__, RUNS.run_uuid == TAGS.run_uuid)
        .where(TAGS.key == PARENT, RUNS.lifecycle_stage == "active")
        .group_by(TAGS.value)
    )
    for parent, count in connection.execute(children):
        if parent in rows:
            rows[parent]["children"] = count
    return list(rows.values())


def _tags(connection: sa.Connection, ids: Sequence[str], wanted: Chosen) -> Iterator[Any]:
    columns = (TAGS.run_uuid, TAGS.key, TAGS.value)
    if wanted.tags is not None:
        yield from _values(connection, columns, ids, {*wanted.tags, *ROW_TAGS})
        return
    # MLflow's own can be long, and nobody asked for them
    own = sa.or_(sa.not_(TAGS.key.like("mlflow.%")), TAGS.key.in_(ROW_TAGS))
    yield from _values(connection, columns, ids, None, own)


def _values(
    connection: sa.Connection,
    columns: Sequence[Any],
    ids: Sequence[str],
    keys: Iterable[str] | None,
    *more: Any,
) -> Iterator[Any]:
    statement = sa.select(*columns).where(*more)
    if keys is not None:
        statement = statement.where(columns[1].in_(sorted(keys)))
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        yield from connection.execute(statement.where(columns[0].in_(chunk))).all()


def _where(question: RunSearch, dialect: str) -> Iterator[Any]:
    if question.experiment_ids:
        yield RUNS.experiment_id.in_(_ids(question))
    if question.view is not View.ALL:
        yield RUNS.lifecycle_stage.in_(STAGES[question.view])
    if question.parent_run_id is not None:
        yield RUNS.run_uuid.in_(_nested().where(TAGS.value == question.parent_run_id))
    if question.run_ids is not None:
        yield RUNS.run_uuid.in_(question.run_ids)
    for item in _parsed(question.filter):
        yield _condition(item, dialect)


def _nested() -> Any:
    return sa.select(TAGS.run_uuid).where(TAGS.key == PARENT)


def _below(question: RunSearch) -> Any:
    """Runs that stand below another one: their parent is in the same view and experiments."""
    parents = SqlRun.__table__.alias("parents")
    found = (
        sa.select(TAGS.run_uuid)
        .join_from(SqlTag.__table__, parents, parents.c.run_uuid == TAGS.value)
        .where(TAGS.key == PARENT, parents.c.lifecycle_stage.in_(STAGES[question.view]))
    )
    if question.experiment_ids:
        found = found.where(parents.c.experiment_id.in_(_ids(question)))
    return found


def _ids(question: RunSearch) -> list[int]:
    return [int(i) for i in question.experiment_ids if is_id(i)]


def is_id(text: str) -> bool:
    """Can it be an id of MLflow's databases?"""
    return text.isascii() and text.isdigit() and int(text) < 2**63


def _parsed(text: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = SearchUtils.parse_search_filter(text)
    except MlflowException as error:
        raise InvalidInput(error.message, field="filter") from None
    except Exception as error:  # the parser's library has its own, for what no one would write
        raise InvalidInput(
            f"The filter cannot be read: {type(error).__name__}.", field="filter"
        ) from None
    return found


def _condition(item: dict[str, Any], dialect: str) -> Any:
    """One comparison, as MLflow means it."""
    kind, given, comparator = item["type"], item["value"], item["comparator"].upper()
    key = SearchUtils.translate_key_alias(item["key"])
    try:
        compare = SearchUtils.get_sql_comparison_func(comparator, dialect)
        if SearchUtils.is_string_attribute(kind, key, comparator) or (
            SearchUtils.is_numeric_attribute(kind, key, comparator)
        ):
            if key == "run_name":
                return _has(TAGS, RUN_NAME, compare(TAGS.value, given))
            return compare(RUNS[SqlRun.get_attribute_name(key)], _bounded(given))
        if SearchUtils.is_metric(kind, comparator):
            number = compare(METRICS.value, float(given))
            # NaN is kept as 0, and is unequal to everything
            if comparator == "!=":
                return _has(METRICS, key, sa.or_(number, METRICS.is_nan == sa.true()))
            return _has(METRICS, key, sa.and_(number, METRICS.is_nan == sa.false()))
        if SearchUtils.is_dataset(kind, comparator):
            return _used_dataset(key, lambda column: compare(column, given))
        if SearchUtils.is_param(kind, comparator):
            table = PARAMS
        elif SearchUtils.is_tag(kind, comparator):
            table = TAGS
        else:
            raise InvalidInput(f"Invalid search expression type '{kind}'", field="filter")
    except MlflowException as error:
        raise InvalidInput(error.message, field="filter") from None
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{given!r} is no value for {key}: {error}", field="filter") from None
    if comparator == "IS NULL":
        return sa.not_(_has(table, key))
    if comparator == "IS NOT NULL":
        return _has(table, key)
    return _has(table, key, compare(table.value, given))


def _bounded(given: Any) -> Any:
    """Raises ValueError for integers that no database can compare with."""
    if isinstance(given, int) and not -(2**63) <= given < 2**63:
        raise ValueError("it does not fit in 64 bits")
    return given


def _has(table: Any, key: str, *conditions: Any) -> Any:
    return RUNS.run_uuid.in_(sa.select(table.run_uuid).where(table.key == key, *conditions))


def _used_dataset(key: str, compare: Any) -> Any:
    used = sa.select(INPUTS.destination_id).join(
        SqlDataset.__table__, DATASETS.dataset_uuid == INPUTS.source_id
    )
    if key == "context":
        used = used.join(
            SqlInputTag.__table__,
            sa.and_(
                INPUT_TAGS.input_uuid == INPUTS.input_uuid,
                INPUT_TAGS.name == "mlflow.data.context",
                compare(INPUT_TAGS.value),
            ),
        )
    else:
        used = used.where(compare(DATASETS[key]))
    return RUNS.run_uuid.in_(used)


def _order(given: Sequence[str]) -> tuple[list[tuple[Any, Any]], list[Any]]:
    """What to join, and the order: MLflow's, and by duration."""
    joins: list[tuple[Any, Any]] = []
    order: list[Any] = []
    seen = set()
    for number, clause in enumerate(given or ["attributes.start_time DESC"]):
        kind, key, ascending = _parsed_order(clause)
        if (kind, key) in seen:
            raise InvalidInput(f"order_by names {key} twice.", field="order_by")
        seen.add((kind, key))
        absent: Any
        if kind == "attribute":
            column = (
                RUNS.end_time - RUNS.start_time
                if key == "duration"
                else RUNS[SqlRun.get_attribute_name(key)]
            )
            absent = sa.case((column.is_(None), 1), else_=0)
        else:
            entity = {"metric": SqlLatestMetric, "parameter": SqlParam, "tag": SqlTag}[kind]
            table = entity.__table__.alias(f"order_{number}")
            joins.append((table, sa.and_(table.c.run_uuid == RUNS.run_uuid, table.c.key == key)))
            column = table.c.value
            absent = sa.case((column.is_(None), 2), else_=0)
            if kind == "metric":
                absent = sa.case((table.c.is_nan == sa.true(), 1), (column.is_(None), 2), else_=0)
        order += [absent, column if ascending else column.desc()]
    if ("attribute", "start_time") not in seen:
        order.append(RUNS.start_time.desc())
    return joins, [*order, RUNS.run_uuid]


def _parsed_order(clause: str) -> tuple[str, str, bool]:
    if (match := DURATION.fullmatch(clause.strip())) is not None:
        return "attribute", "duration", (match["way"] or "asc").lower() == "asc"
    try:
        kind, key, ascending = SearchUtils.parse_order_by_for_search_runs(clause)
    except MlflowException as error:
        raise InvalidInput(error.message, field="order_by") from None
    except Exception as error:
        raise InvalidInput(
            f"The order {clause[:80]!r} cannot be read: {type(error).__name__}.", field="order_by"
        ) from None
    key = SearchUtils.translate_key_alias(key)
    if kind not in ("attribute", "metric", "parameter", "tag"):
        raise InvalidInput(f"Runs cannot be ordered by {kind}s.", field="order_by")
    return kind, key, ascending
