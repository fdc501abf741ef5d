"""Opens the control database, and brings an older one up to date after a backup.

Alembic is imported only when there is something to migrate: a hub starts sooner without it.
"""

from __future__ import annotations

import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect, text

from perijove.errors import Conflict
from perijove.store.tables import metadata

HEAD = "0005"
"""The newest migration; a test keeps it equal to what Alembic finds."""
MIGRATIONS = Path(__file__).parent / "migrations"


def open_database(path: Path, backups: Path) -> Engine:
    """The engine of an up-to-date database at `path`.

    Raises
    ------
    Conflict: the database was written by a newer Perijove.
    """
    fresh = not path.exists() or path.stat().st_size == 0
    engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _configure)
    if fresh:
        with engine.begin() as connection:
            metadata.create_all(connection)
            connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
            insert = text("INSERT INTO alembic_version VALUES (:head)")
            connection.execute(insert, {"head": HEAD})
        path.chmod(0o600)
    elif (found := _version(engine)) != HEAD:
        _upgrade(engine, path, backups, found)
    return engine


def _configure(connection: sqlite3.Connection, _: Any) -> None:
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "busy_timeout=5000",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _version(engine: Engine) -> str | None:
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    return None if row is None else str(row[0])


def _upgrade(engine: Engine, path: Path, backups: Path, found: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise Conflict(
            f"The control database {path} was written by a newer Perijove (schema {found}).",
            remedy="Install that version again, or restore an older file from "
            f"{backups} in its place.",
        )
    backups.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    target = backups / f"control-{found or 'unversioned'}-{stamp}.db"
    # SQLite's own backup: a plain copy would miss what is still in the write-ahead log
    with sqlite3.connect(path) as source, sqlite3.connect(target) as copy:
        source.backup(copy)
    shutil.copymode(path, target)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
