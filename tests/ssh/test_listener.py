"""The TLS listener: a Dask scheduler and its workers on another host, whose only way to the hub
it is."""

from __future__ import annotations

import json
import socket
import ssl
import time
from pathlib import Path

import httpx
import pytest
from distributed.security import Security

from conftest import perijove, until, write_notebook
from perijove.client.workspace import Workspace
from perijove.errors import Conflict
from perijove.models.attempts import WORK

from .hosts import Host, Hosts

pytestmark = pytest.mark.integration
PORT = 8786
FILES = {"tls_ca_file": "ca.pem", "tls_client_cert": "cert.pem", "tls_client_key": "key.pem"}


@pytest.fixture
def box(hosts: Hosts, node: Path) -> Host:
    """A machine that has our package."""
    return hosts.add(node=node)


@pytest.fixture
def certificates(box: Host, node: Path, tmp_path: Path) -> Path:
    """A Dask scheduler with a worker runs on the machine: its certificates."""
    made, folder = Security.temporary(), tmp_path / "certificates"
    for place in (folder, box.home / "dask"):
        place.mkdir()
        for field, name in FILES.items():
            (place / name).write_text(str(getattr(made, field)))
    venv = next(path.parent.name for path in node.glob("venvs/*/done"))
    python = f"/root/.perijove-node/venvs/{venv}/bin/python"
    tls = [f"--tls-{name.split('.')[0]}{'-file' * (name == 'ca.pem')}" for name in FILES.values()]
    options = [word for pair in zip(tls, FILES.values(), strict=True) for word in pair]
    options = [word if word.startswith("--") else f"/root/dask/{word}" for word in options]
    options += ["--host", box.ip, "--no-dashboard"]
    dask = (python, "-m", "distributed.cli.dask_{}")
    box.start(*dask[:2], dask[2].format("scheduler"), *options, "--port", str(PORT), "--no-show")
    until(lambda: _answers(box.ip))
    where = f"tls://{box.ip}:{PORT}"
    box.start(
        *(*dask[:2], dask[2].format("worker"), where, *options),
        *("--name", "far", "--nthreads", "2", "--no-nanny"),
    )
    return folder


def _answers(ip: str) -> bool:
    with socket.socket() as asked:
        asked.settimeout(1)
        return asked.connect_ex((ip, PORT)) == 0


@pytest.fixture
def ws(home: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("PERIJOVE_HOME", str(home))
    workspace = Workspace()
    workspace.up()
    return workspace


def test_workers_elsewhere_reach_the_hub(
    ws: Workspace, box: Host, hosts: Hosts, certificates: Path, home: Path, tmp_path: Path
) -> None:
    def attach() -> None:
        scheduler = f"tls://{box.ip}:{PORT}"
        definition = {"name": "far", "kind": "attached", "scheduler": scheduler}
        ws.compute.create(definition | {"certificates": str(certificates)})

    # without the listener there is no way, and nothing is left
    refusals: list[Conflict] = []

    def refused() -> bool:
        try:
            attach()
        except Conflict as error:
            refusals.append(error)
        else:
            ws.compute.get("far").delete()  # the worker was not there yet
        return bool(refusals)

    until(refused)
    assert "no way to the hub" in refusals[0].message
    assert "--listen" in str(refusals[0].remedy)
    assert [target.name for target in ws.compute.list()] == ["local"]

    up = perijove("up", "--listen", hosts.gateway, "--json", home=home)
    assert up.returncode == 0, up.stderr
    attach()
    until(lambda: ws.compute.get("far").nodes())
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "data.csv").write_text("a\n1\n")  # what lies beside a notebook goes too
    path = write_notebook(
        tmp_path / "work" / "far.ipynb",
        "import mlflow, os, socket, time\nmlflow.log_param('depth', 3)",
        "for step in range(16):\n    mlflow.log_metric('loss', 1 / (step + 1), step=step)\n"
        "    time.sleep(0.5)",
        "model = os.environ['PERIJOVE_OUTPUTS'] + '/model.txt'",
        "open(model, 'w').write(socket.gethostname() + open('data.csv').read())",
        "mlflow.log_artifact(model, 'mine')",
    )
    job = ws.jobs.submit(path, compute="far")
    until(lambda: job.state == "running")
    box.cut()  # the job goes on, and catches up
    time.sleep(4)
    box.restore()
    assert job.wait(90).state == "succeeded", job.data
    assert job.data.attempt == 1
    output = Path(str(job.data.output_notebook)).parent / WORK / "outputs" / "model.txt"
    assert output.read_text() == f"{box.name}a\n1\n"
    until(lambda: len(job.run.metric_history("loss")) == 16)
    assert [point["step"] for point in job.run.metric_history("loss")] == [*range(16)]
    run = job.run.refresh()
    assert run.params["depth"] == "3"
    assert run.metrics["loss"] == pytest.approx(1 / 16)
    assert run.artifacts("mine") == ["mine/model.txt"]

    # it speaks TLS only, and to nobody without a token
    workspace = home / "workspaces" / "default"
    where = (workspace / "listen").read_text().strip()
    trusted = ssl.create_default_context(cafile=str(workspace / "gate.pem"))
    trusted.check_hostname = False  # nodes trust this certificate, whatever their name for it
    for route in ("/", "/api/2.0/mlflow/experiments/search", "/api/jobs", "/openapi.json"):
        assert httpx.get(f"https://{where}{route}", verify=trusted).status_code in (401, 403, 404)
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://{where}/")
    assert json.loads(up.stdout)["url"].startswith("http://127.0.0.1:")
    ws.compute.get("far").delete()
