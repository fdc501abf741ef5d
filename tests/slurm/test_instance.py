"""An instance that is an allocation of a real Slurm, on another host than the hub's."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from conftest import perijove, said, write_notebook
from perijove.models.attempts import WORK
from slurm.bed import Slurm

pytestmark = pytest.mark.integration


def test_an_allocation_runs_jobs_and_leaves_nothing(
    slurm: Slurm, home: Path, tmp_path: Path
) -> None:
    create = ("compute", "create", "box", "--kind", "instance", "--on", "slurm")
    create += ("--partition", "debug", "--cpus", "2", "--memory", "2GiB")
    # without a listener its nodes have no way to the hub, and nothing is left
    refused = said(*create, home=home, code=3)
    remedy = re.search(r"--listen (\d+(?:\.\d+){3})", json.dumps(refused))
    assert remedy is not None, refused
    assert slurm.queue() == []
    assert perijove("compute", "show", "box", home=home).returncode == 2

    assert perijove("up", "--listen", remedy[1], home=home).returncode == 0
    box = said(*create, home=home)
    assert box["state"] == "running"
    assert len(slurm.queue()) == 1

    (tmp_path / "beside").mkdir()  # what lies beside a notebook goes with it
    path = write_notebook(
        tmp_path / "beside" / "first.ipynb",
        "import mlflow, os, socket\nmlflow.log_metric('seen', 1)",
        "open(os.environ['PERIJOVE_OUTPUTS'] + '/host', 'w').write(socket.gethostname())",
    )
    job = said("job", "submit", str(path), "--compute", "box", "--wait", home=home)
    assert job["state"] == "succeeded", job
    output = Path(str(job["output_notebook"])).parent / WORK / "outputs" / "host"
    assert output.read_text() in str(box["properties"])

    # an allocation that Slurm takes away is not asked for again by itself
    slurm.clear()
    lost = said("job", "submit", str(path), "--compute", "box", home=home)
    assert lost["state"] == "queued" or lost["state"] == "preparing"
    assert slurm.queue() == []
    assert said("compute", "restart", "box", "--force", home=home)["state"] == "running"
    assert len(slurm.queue()) == 1

    assert perijove("compute", "delete", "box", "--force", home=home).returncode == 0
    assert slurm.queue() == []
