"""Progress on standard error ends with the job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from perijove.cli import environment as environments
from perijove.cli import job as commands
from perijove.cli.program import run
from perijove.cli.progress import watch
from perijove.client.jobs import Job
from perijove.models.events import EventType, JobEvent


class _Unrecorded:
    """A job that has failed, and that MLflow, which is away, does not record."""

    waited = False

    class data:
        name = "n"

        class state:
            value = "queued"

        class progress:
            total = 0

    def events(self) -> Iterator[JobEvent]:
        given: dict[str, Any] = {"seq": 1, "job_id": "4f2c", "attempt": 1, "spool_seq": None}
        yield JobEvent(
            **given, time=datetime.now(UTC), type=EventType.STATE, data={"state": "failed"}
        )
        raise AssertionError("its events go on until it is recorded")

    def wait(self) -> None:
        self.waited = True


def test_who_waits_does_not_wait_for_mlflow_for_ever(capsys: pytest.CaptureFixture[str]) -> None:
    job = _Unrecorded()
    watch(cast(Job, job))
    assert job.waited
    assert "n  failed" in capsys.readouterr().err


def test_an_interrupted_wait_shows_the_job_as_it_is_now(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Running:
        id, data = "4f2c", {"state": "queued"}

        def refresh(self) -> None:
            self.data = {"state": "running"}

    def interrupted(job: Job) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "watch", interrupted)
    assert commands._wait(cast(Job, Running()), as_json=True) == 130
    said = capsys.readouterr()
    assert json.loads(said.out) == {"state": "running"}
    assert "perijove job cancel 4f2c" in said.err


def test_an_interrupted_build_goes_on_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Building:
        reference = "geo:2"

        class data:
            class state:
                settled = False

        def wait(self, raise_on_failure: bool) -> None:
            raise KeyboardInterrupt

    class Workspace:
        def __init__(self, name: str | None) -> None:
            self.environments = self

        def create(self, name: str, **files: Any) -> Building:
            return Building()

    monkeypatch.setattr(environments, "Workspace", Workspace)
    monkeypatch.setattr(environments, "is_terminal", lambda: False)
    assert run(["environment", "create", "geo", "--requirements", "r.txt"]) == 130
    assert "perijove environment delete geo:2" in capsys.readouterr().err
