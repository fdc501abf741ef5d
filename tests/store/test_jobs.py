"""The control database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, Table, create_engine, insert, inspect, text

from perijove.errors import Conflict
from perijove.models.jobs import ACTIVE_STATES, Job, JobKind, JobState
from perijove.store import database
from perijove.store.jobs import SqlJobStore
from perijove.store.tables import metadata


@pytest.fixture
def store(tmp_path: Path) -> SqlJobStore:
    return SqlJobStore(database.open_database(tmp_path / "control.db", tmp_path / "backups"))


def make_job(**changes: object) -> Job:
    values = {
        "id": str(uuid4()),
        "kind": JobKind.NOTEBOOK,
        "name": "n",
        "state": JobState.QUEUED,
        "experiment": "e",
        "compute": "local",
        "parameters": {"lr": 0.5, "names": ["a", None]},
        "tags": {"k": "v"},
        "path": "n.ipynb",
        "root": "/",
        "created_at": datetime.now(UTC),
    }
    return Job.model_validate(values | changes)


def test_a_job_comes_back_as_it_was_stored(store: SqlJobStore) -> None:
    job = make_job()
    assert store.add(job)
    found = store.get(job.id)
    assert found == job.model_copy(update={"revision": 1})


def test_a_known_id_is_not_stored_again(store: SqlJobStore) -> None:
    job = make_job()
    assert store.add(job)
    assert not store.add(job.model_copy(update={"name": "other"}))
    assert store.revision() == 1
    assert len(store.outbox()) == 1


def test_an_update_is_refused_in_another_state(store: SqlJobStore) -> None:
    job = make_job()
    store.add(job)
    ended = store.update(job.id, expect=ACTIVE_STATES, state=JobState.SUCCEEDED, outbox="finish")
    assert ended is not None
    assert ended.revision == 2
    assert store.update(job.id, expect=ACTIVE_STATES, state=JobState.FAILED) is None
    found = store.get(job.id)
    assert found is not None
    assert found.state is JobState.SUCCEEDED
    assert store.revision() == 2


def test_more_jobs_than_are_remembered_are_as_they_were_written_last(
    store: SqlJobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perijove.store.jobs.RECENT", 2)
    jobs = [make_job() for _ in range(4)]
    for job in jobs:
        store.add(job)
    for state in (JobState.PREPARING, JobState.RUNNING):
        for job in jobs:
            assert store.update(job.id, state=state) is not None
            found = store.get(job.id)
            assert found is not None
            assert found.state is state
    assert [store.get(job.id) for job in jobs] == store.active()


def test_every_change_is_in_the_feed_once_with_its_latest_state(store: SqlJobStore) -> None:
    first, second = make_job(), make_job()
    store.add(first)
    store.add(second)
    store.update(first.id, state=JobState.RUNNING)
    feed = store.changed_since(0, 10)
    assert [(job.id, job.revision) for job in feed] == [(second.id, 2), (first.id, 3)]
    assert store.changed_since(3, 10) == []


def test_revisions_go_on_after_a_restart(tmp_path: Path) -> None:
    for expected in (1, 2):
        engine = database.open_database(tmp_path / "control.db", tmp_path / "backups")
        opened = SqlJobStore(engine)
        job = make_job()
        opened.add(job)
        found = opened.get(job.id)
        assert found is not None
        assert found.revision == expected
        opened.close()


def test_lists_are_newest_first_and_page(store: SqlJobStore) -> None:
    start = datetime.now(UTC)
    jobs = [make_job(created_at=start + timedelta(seconds=n)) for n in range(5)]
    for job in jobs:
        store.add(job)
    newest = [job.id for job in reversed(jobs)]
    assert [job.id for job in store.page(limit=2)] == newest[:2]
    assert [job.id for job in store.page(before=newest[1])] == newest[2:]
    assert [job.id for job in store.queued("local", 2)] == [jobs[0].id, jobs[1].id]
    urgent = make_job(created_at=start + timedelta(seconds=9), priority=1)
    store.add(urgent)
    store.add(make_job(created_at=start, priority=-1))
    assert [job.id for job in store.queued("local", 2)] == [urgent.id, jobs[0].id]


def test_the_outbox_gives_each_job_s_first_step(store: SqlJobStore) -> None:
    job = make_job()
    store.add(job)
    store.update(job.id, outbox="finish")
    [step] = store.outbox()
    assert step.step == "start"
    assert store.outbox(skip=[job.id]) == []
    store.outbox_done(step)
    [step] = store.outbox()
    assert step.step == "finish"
    assert store.outbox_size() == 1


def test_attempts_are_open_until_they_end(store: SqlJobStore) -> None:
    job = make_job()
    store.add(job)
    store.update(job.id, attempt=1, attempt_begins=1)
    assert store.open_attempts() == [(job.id, 1)]
    store.update(job.id, attempt=0, attempt_undone=1)
    assert store.open_attempts() == []
    store.update(job.id, attempt=1, attempt_begins=1)
    store.update(job.id, attempt_ends=1)
    assert store.open_attempts() == []


def test_the_migrations_make_the_tables_of_the_code(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE unrelated (x INTEGER)"))
        connection.execute(text("DROP TABLE unrelated"))
    migrated = database.open_database(path, tmp_path / "backups")
    assert inspect(migrated).has_table("jobs")
    with migrated.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert len(list((tmp_path / "backups").glob("control-unversioned-*.db"))) == 1
    assert ScriptDirectory(str(database.MIGRATIONS)).get_current_head() == database.HEAD


def test_jobs_of_the_first_version_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        row = make_job().model_dump(mode="json", exclude={"progress", "cpus", "memory", "gpus"})
        row |= {"created_at": 10**15, "done": 0, "total": 1}
        connection.execute(insert(Table("jobs", MetaData(), autoload_with=connection)), [row])
    engine.dispose()
    store = SqlJobStore(database.open_database(path, tmp_path / "backups"))
    [job] = store.page()
    assert (job.id, job.cpus, job.memory, job.gpus) == (row["id"], 1, None, 0)
    assert len(list((tmp_path / "backups").glob("control-0001-*.db"))) == 1


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    with database.open_database(path, tmp_path / "backups").begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = path.read_bytes()
    with pytest.raises(Conflict, match="newer Perijove"):
        database.open_database(path, tmp_path / "backups")
    assert path.read_bytes() == before
