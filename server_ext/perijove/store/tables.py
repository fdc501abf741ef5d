"""The tables. A change here needs a migration in ``migrations/versions``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC as microseconds since 1970: sorts and compares alike on every database."""

    impl = BigInteger().with_variant(Integer(), "sqlite")
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return None if value is None else round(value.timestamp() * 1_000_000)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromtimestamp(value / 1_000_000, UTC)


metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("name", String(128), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("reason", String(32)),
    Column("message", Text),
    Column("run_id", String(64)),
    Column("experiment", String(128), nullable=False),
    Column("experiment_id", String(64)),
    Column("compute", String(128), nullable=False),
    Column("environment", Text),
    Column("parameters", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("path", Text, nullable=False),
    Column("root", Text, nullable=False),
    Column("timeout", Float),
    Column("retries", Integer, nullable=False),
    Column("cpus", Integer, nullable=False, server_default="1"),
    Column("memory", BigInteger),
    Column("gpus", Integer, nullable=False, server_default="0"),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False, index=True),
    Column("started_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("output_notebook", Text),
    Column("rerun_of", String(36)),
    Column("git_commit", String(64)),
    Column("cancel_requested", Boolean, nullable=False),
    Column("recorded", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("revision", Integer, nullable=False, index=True, unique=True),
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_id", String(36), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("begun_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime, index=True),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("job_id", String(36), nullable=False, index=True),
    Column("step", String(16), nullable=False),
)

targets = Table(
    "targets",
    metadata,
    Column("key", String(24), primary_key=True),
    Column("name", String(24), nullable=False),
    Column("definition", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("message", Text),
    Column("last_operation", JSON),
    Column("node_seconds", Float, nullable=False),
    Column("node_counter", Float, nullable=False, server_default="0"),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(256), nullable=False),
)

environments = Table(
    "environments",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("digest", String(16), nullable=False),
    Column("source", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("python", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("message", Text),
    Column("size", BigInteger),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", String(256), nullable=False),
    Column("built_at", UtcTime),
    Column("deleted", Boolean, nullable=False),
)
