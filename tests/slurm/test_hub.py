"""A cluster over Slurm as a user has it: from the shell, through a hub."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeNotebook, configure, perijove
from perijove.client.discovery import find_hub
from perijove.client.workspace import Workspace
from perijove.errors import Conflict
from perijove.models.workspaces import WorkspaceFolder
from slurm.bed import Slurm

pytestmark = pytest.mark.integration


@pytest.fixture
def ws(slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    home = tmp_path / "home"
    configure(home)
    monkeypatch.setenv("PERIJOVE_HOME", str(home))
    yield Workspace()
    perijove("down", "--force", home=home)
    assert slurm.queue() == []


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def said(*words: str, home: Path) -> Any:
    done = perijove(*words, "--json", home=home)
    return done.returncode, json.loads(done.stdout)


def test_a_cluster_s_whole_life(
    ws: Workspace, slurm: Slurm, tmp_path: Path, notebook: MakeNotebook
) -> None:
    home = tmp_path / "home"
    create = ("compute", "create", "train", "--on", "slurm", "--max-nodes", "1", "--cpus", "2")
    code, refused = said(*create, "--partition", "nope", home=home)
    assert (code, refused["error"]["field"]) == (2, "partition")
    code, refused = said(*create, "--directive=--time=9", home=home)
    assert (code, refused["error"]["field"]) == (2, "directives"), refused
    code, refused = said(*create[:3], "--walltime", "1:00", home=home)
    assert (code, refused["error"]["field"]) == (2, "walltime")
    assert [target.name for target in ws.compute.list()] == ["local"]
    options = ("--partition", "debug", "--walltime", "01:00:00", "--directive=--comment=x")
    code, made = said(*create, *options, home=home)
    assert (code, made["state"], made["on"]) == (0, "running", "slurm"), made
    wish = {key: made["properties"][key] for key in ("partition", "walltime", "directives")}
    assert wish == {"partition": "debug", "walltime": "01:00:00", "directives": ["--comment=x"]}

    # a node that is taken away: lost, and tried again
    path = notebook("import time; time.sleep(8)")
    job = ws.jobs.submit(path, compute="train", retries=1, cpus=2)
    until(lambda: job.state == "running")
    slurm.cancel(*slurm.ids())
    until(lambda: job.state == "running" and job.data.attempt == 2)
    # and the hub is killed meanwhile
    info = find_hub(WorkspaceFolder(home, "default"))
    assert info is not None
    os.kill(info.pid, signal.SIGKILL)
    assert job.wait(90).state == "succeeded"
    assert job.data.attempt == 2

    runs = ws.jobs.submit(notebook("import time; time.sleep(600)"), compute="train")
    until(lambda: runs.state == "running")
    assert len(slurm.queue()) == 1
    with pytest.raises(Conflict):
        ws.compute.get("train").delete()
    ws.compute.get("train").delete(force=True)
    assert runs.state == "canceled"
    assert slurm.queue() == []
