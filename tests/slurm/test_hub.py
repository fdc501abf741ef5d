"""A cluster over Slurm as a user has it: from the shell, through a hub."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import MakeNotebook, configure, perijove, said, until
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


def test_a_cluster_s_whole_life(
    ws: Workspace, slurm: Slurm, tmp_path: Path, notebook: MakeNotebook
) -> None:
    home = tmp_path / "home"
    create = ("compute", "create", "train", "--on", "slurm", "--max-nodes", "1", "--cpus", "2")
    refused = said(*create, "--partition", "nope", home=home, code=2)
    assert refused["error"]["field"] == "partition"
    refused = said(*create, "--directive=--time=9", home=home, code=2)
    assert refused["error"]["field"] == "directives"
    refused = said(*create[:3], "--walltime", "1:00", home=home, code=2)
    assert refused["error"]["field"] == "walltime"
    assert [target.name for target in ws.compute.list()] == ["local"]
    options = ("--partition", "debug", "--walltime", "01:00:00", "--directive=--comment=x")
    made = said(*create, *options, home=home)
    assert (made["state"], made["on"]) == ("running", "slurm")
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
