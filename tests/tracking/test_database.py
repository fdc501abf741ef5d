"""The embedded server's database file: whole or not there, upgraded beside its backup."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


def _schema(path: Path) -> set[tuple[str, ...]]:
    """Without the order of constraints, which is another one in every run of the migrations."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")
        return {
            (kind, name, table, *sorted(line.strip(" ,") for line in (sql or "").splitlines()))
            for kind, name, table, sql in found
        }


def _revision(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def test_made_as_mlflow_makes_it(tmp_path: Path) -> None:
    from mlflow.store.db import utils

    from perijove.tracking.database import prepare

    path = tmp_path / "made" / "mlflow.db"
    prepare(path)
    engine = utils.create_sqlalchemy_engine(f"sqlite:///{tmp_path}/theirs.db")
    utils._initialize_tables(engine)
    engine.dispose()
    assert _schema(path) == _schema(tmp_path / "theirs.db")
    assert [file.name for file in path.parent.iterdir()] == ["mlflow.db"]


def test_what_a_kill_left_is_thrown_away(tmp_path: Path) -> None:
    from perijove.tracking.database import prepare

    (tmp_path / ".mlflow.db.new").write_bytes(b"half")
    prepare(tmp_path / "mlflow.db")
    assert len(_schema(tmp_path / "mlflow.db")) > 50


def test_an_old_database_is_upgraded_after_a_backup(tmp_path: Path) -> None:
    import sqlalchemy
    from alembic import command
    from mlflow.store.db import utils
    from mlflow.store.db.base_sql_model import Base  # noqa: F401
    from mlflow.store.tracking.dbmodels.initial_models import Base as InitialBase

    from perijove.tracking.database import prepare

    path = tmp_path / "mlflow.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    InitialBase.metadata.create_all(engine)
    old = "acf3f17fdcc7"
    config = utils._get_alembic_config(str(engine.url))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, old)
        connection.execute(
            sqlalchemy.text(
                "INSERT INTO experiments (experiment_id, name, lifecycle_stage)"
                " VALUES (7, 'kept', 'active')"
            )
        )
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    prepare(path)
    assert _revision(path) == utils._get_latest_schema_revision()
    assert _revision(tmp_path / f"mlflow.db.{old}.bak") == old
    for file in (path, tmp_path / f"mlflow.db.{old}.bak"):
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("SELECT name FROM experiments").fetchall() == [("kept",)]
    before = path.stat().st_mtime_ns
    prepare(path)
    assert path.stat().st_mtime_ns == before


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    from perijove.tracking.database import prepare

    path = tmp_path / "mlflow.db"
    prepare(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        connection.commit()
    with pytest.raises(SystemExit, match="written by a newer one"):
        prepare(path)
    assert _revision(path) == "ffffffffffff"
