"""GPUs over Slurm: declared, opened by nobody. Slurm lends them, and each job sees its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import MakeNotebook, configure, perijove
from perijove.client.workspace import Workspace
from perijove.compute.slurm import request
from perijove.errors import Conflict
from perijove.models.attempts import WORK
from perijove.models.compute import ClusterDefinition, Resources
from slurm.bed import CONTROLLER, GPUS, NODES, Slurm

HERE = f"--nodelist={NODES[0]}"


@pytest.fixture
def ws(slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    home = tmp_path / "home"
    configure(home)
    monkeypatch.setenv("PERIJOVE_HOME", str(home))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    up = perijove("up", "--listen", CONTROLLER, home=home)
    assert up.returncode == 0, up.stderr
    yield Workspace()
    perijove("down", "--force", home=home)


@pytest.mark.parametrize(
    ("directives", "asked"),
    [
        ([], True),
        (["--gid=5", "--comment=gpus"], True),
        (["--gres=gpu:a100:2"], False),
        (["--gpus-per-node=2"], False),
        (["--constraint=x -G 2"], False),
    ],
)
def test_they_are_asked_for_once(directives: list[str], asked: bool) -> None:
    wish = ClusterDefinition(name="train", on="slurm", directives=directives)
    assert ("--gres=gpu:2" in request(wish, Resources(gpus=2))) is asked
    assert not [line for line in request(wish, Resources()) if line == "--gres=gpu:2"]


@pytest.mark.integration
def test_each_job_sees_its_own(
    ws: Workspace, slurm: Slurm, tmp_path: Path, notebook: MakeNotebook
) -> None:
    with pytest.raises(Conflict) as refused:
        ws.compute.create_cluster("train", on="slurm", gpus=GPUS + 1)
    assert refused.value.field == "gpus"
    ws.compute.create_cluster("train", on="slurm", cpus=3, gpus=GPUS, max_nodes=1)
    together = notebook(  # they run at once, whatever comes first
        "import mlflow, os, pathlib, time",
        "mlflow.log_metric('seen', 1)  # through the hub's TLS listener",
        f"folder = pathlib.Path({str(tmp_path)!r})",
        "(folder / f'{me}.seen').write_text(os.environ['CUDA_VISIBLE_DEVICES'])",
        "while len(list(folder.glob('*.seen'))) < 3:\n    time.sleep(0.1)",
        parameters="me = ''",
    )
    jobs = [
        ws.jobs.submit(together, {"me": name}, compute="train", gpus=gpus)
        for name, gpus in (("a", 1), ("b", 1), ("none", 0))
    ]
    for job in jobs:
        assert job.wait(90).state == "succeeded", job.data
    seen = {path.stem: path.read_text() for path in tmp_path.glob("*.seen")}
    assert seen.pop("none") == ""
    assert sorted(seen.values()) == ["0", "1"]
    ws.compute.get("train").delete(force=True)


@pytest.mark.integration
def test_an_instance_has_those_that_slurm_lends_it(
    ws: Workspace, slurm: Slurm, tmp_path: Path, notebook: MakeNotebook
) -> None:
    # the first one of this node is somebody else's
    other = ["sbatch", "--gres=gpu:1", HERE, "--mem=100", "--wrap", "sleep 600"]
    subprocess.run([*other, "--output=/dev/null"], check=True, capture_output=True)
    box = {"on": "slurm", "gpus": 1, "cpus": 1, "memory": "1GiB", "directives": [HERE]}
    ws.compute.create_instance("box", **box)
    path = notebook(
        "import os",
        "open(os.environ['PERIJOVE_OUTPUTS'] + '/seen', 'w')"
        ".write(os.environ['CUDA_VISIBLE_DEVICES'])",
    )
    job = ws.jobs.submit(path, compute="box", gpus=1).wait(90)
    assert job.state == "succeeded", job.data
    output = Path(str(job.data.output_notebook)).parent / WORK / "outputs" / "seen"
    assert output.read_text() == "1", json.dumps(job.data.model_dump(mode="json"))
    ws.compute.get("box").delete(force=True)
