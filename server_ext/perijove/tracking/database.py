"""The embedded server's SQLite file: made and upgraded beside its place, then moved there.

MLflow's sixty migrations are not one transaction: a server killed in the middle of them leaves a
file that no later start can repair. So they run on a file of another name, which takes the
database's name when it is whole; an upgrade leaves the old one as a backup.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy
from mlflow.store.db import utils

log = logging.getLogger(__name__)


def prepare(path: Path) -> None:
    """Make the database, or bring it to this MLflow's schema.

    Raises SystemExit, with a message for the log, when it was written by a newer MLflow.
    """
    partial = path.with_name(f".{path.name}.new")
    _remove(partial)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _migrate(partial)
        os.replace(partial, path)
        return
    with closing(sqlite3.connect(path)) as source:
        found = _revision(source)
        head = utils._get_latest_schema_revision()
        if found == head:
            return
        if found is not None and not _is_known(found):
            raise SystemExit(
                f"{path} has the schema {found}, which this MLflow does not know: it was written "
                "by a newer one. Install that one again, or move the file away."
            )
        with closing(sqlite3.connect(partial)) as target:
            source.backup(target)
        source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _migrate(partial)
    backup = path.with_name(f"{path.name}.{found or 'unversioned'}.bak")
    backup.unlink(missing_ok=True)
    os.link(path, backup)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    os.replace(partial, path)
    log.warning("MLflow's database was upgraded from %s to %s; backup: %s", found, head, backup)


def _migrate(path: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")

    @sqlalchemy.event.listens_for(engine, "connect")
    def _fast(connection: sqlite3.Connection, _: object) -> None:
        # nobody uses the file yet, and what a crash leaves of it is thrown away
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=MEMORY")

    if utils._all_tables_exist(engine):
        utils._upgrade_db(engine)
    else:
        utils._initialize_tables(engine)
    engine.dispose()
    with path.open("rb") as made:
        os.fsync(made.fileno())


def _revision(connection: sqlite3.Connection) -> str | None:
    try:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    return None if found is None else str(found[0])


def _is_known(revision: str) -> bool:
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    try:
        script = ScriptDirectory.from_config(utils._get_alembic_config(""))
        return script.get_revision(revision) is not None
    except CommandError:
        return False


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
