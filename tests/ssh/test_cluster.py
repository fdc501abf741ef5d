"""Clusters over SSH: two machines that share nothing with this one but a network."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
from pathlib import Path
from unittest.mock import Mock

import pytest

from conftest import command, kill, perijove, said, until, write_notebook
from perijove.compute.cluster.checks import check_hosts
from perijove.compute.cluster.hosts import must_let_in
from perijove.compute.ssh.connection import SshHost
from perijove.compute.ssh.prepare import prepare
from perijove.errors import Conflict, InvalidInput, PerijoveError, Unreachable
from perijove.models.attempts import WORK
from perijove.models.compute import ClusterDefinition
from perijove.models.problems import validated
from perijove.models.ssh import SshAddress

from .hosts import Host, Hosts

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBC2bPn3yDLuhXHmCS6wQDK0NqJxPzVTz0y5v7aQDX1T"


def create(home: Path, *hosts: Host, more: tuple[str, ...] = ()) -> dict[str, object]:
    words = [word for host in hosts for word in ("--host", f"root@{host.ip}")]
    keys = [word for host in hosts for word in ("--host-key", str(host.address().host_key))]
    return said(
        *("compute", "create", "pool", "--on", "ssh", *words, *keys),
        *("--identity-file", str(hosts[0].address().identity_file)),
        *("--idle-seconds-before-scale-down", "5", *more),
        home=home,
    )


def prepare_both(first: Host, second: Host, folder: Path) -> None:
    """Have our package on both; making it twice would only take longer."""

    async def one() -> None:
        async with SshHost(first.address(), folder / "first") as host:
            await prepare(host)

    asyncio.run(one())
    made = ".perijove-node"
    subprocess.run(["cp", "-al", first.home / made, second.home / made], check=True)


def nodes(home: Path) -> list[dict[str, str]]:
    found = said("compute", "nodes", "pool", home=home)
    assert isinstance(found, list)
    return found


def left(host: Host) -> list[str]:
    lines = map(command, host.processes())
    return [line for line in lines if "perijove" in line]


def answers(ip: str, port: int) -> bool:
    """Does it speak with somebody who has no certificate of the cluster's?"""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((ip, port), 20) as plain,
            context.wrap_socket(plain) as secured,
        ):
            return bool(secured.recv(1))
    except (ssl.SSLError, ConnectionError):
        return False


@pytest.mark.integration
def test_a_node_that_dies_and_a_pool_that_is_deleted(
    hosts: Hosts, node: Path, home: Path, tmp_path: Path
) -> None:
    box = hosts.add(node=node)
    create(home, box)
    folder = tmp_path / "work"  # what lies beside a notebook goes with it
    folder.mkdir()
    path = write_notebook(
        folder / "job.ipynb",
        "import mlflow, os, time\nmlflow.log_metric('seen', 1)",
        "time.sleep(600 if os.environ['PERIJOVE_ATTEMPT'] == '1' else 1)",
    )
    submit = ("job", "submit", str(path), "--compute", "pool", "--retries", "1")

    def running(job: dict[str, object]) -> None:
        until(lambda: said("job", "show", str(job["id"]), home=home)["state"] == "running")

    job = said(*submit, home=home)
    running(job)
    # sshd and a worker that speaks TLS only are all that the network sees
    seen = [at for at in box.listeners() if not at.startswith("127.0.0.1:")]
    ports = {int(at.rpartition(":")[2]) for at in seen}
    assert len(ports) == 2
    (port,) = ports - {22}
    assert not answers(box.ip, port)
    kill(box.processes(), "distributed.cli.dask_worker")
    job = said("job", "wait", str(job["id"]), home=home)
    assert (job["state"], job["attempt"]) == ("succeeded", 2), job

    job = said(*submit, home=home)
    running(job)
    refused = said("compute", "delete", "pool", home=home, code=2)
    assert "is not over" in json.dumps(refused)
    assert perijove("compute", "delete", "pool", "--force", home=home).returncode == 0
    assert said("job", "show", str(job["id"]), home=home)["state"] == "canceled"
    until(lambda: not left(box))
    assert not list((box.home / ".perijove-node" / "nodes").iterdir())


@pytest.mark.integration
@pytest.mark.soak
def test_a_pool_of_hosts(hosts: Hosts, home: Path, tmp_path: Path) -> None:
    boxes = [hosts.add(), hosts.add()]
    prepare_both(*boxes, folder=tmp_path)
    made = create(home, *boxes)
    assert (made["state"], made["max_nodes"], made["current_nodes"]) == ("running", 2, 0)
    folder = tmp_path / "work"  # what lies beside a notebook goes with it
    folder.mkdir()
    path = write_notebook(
        folder / "where.ipynb",
        "import mlflow, os, socket, time\nmlflow.log_metric('seen', 1)\ntime.sleep(8)",
        "open(os.environ['PERIJOVE_OUTPUTS'] + '/host', 'w').write(socket.gethostname())",
    )
    submit = ("job", "submit", str(path), "--compute", "pool", "--retries", "1")
    ids = [str(said(*submit, home=home)["id"]) for _ in range(2)]
    seen = set()
    for job in [said("job", "wait", id, home=home) for id in ids]:
        assert job["state"] == "succeeded", job
        output = Path(str(job["output_notebook"])).parent / WORK / "outputs" / "host"
        seen.add(output.read_text())
    assert seen == {box.name for box in boxes}
    until(lambda: nodes(home) == [])
    until(lambda: not any(map(left, boxes)))

    # a node dies: its job is lost, and tried again
    slow = write_notebook(folder / "slow.ipynb", "import time\ntime.sleep(15)")
    job = said("job", "submit", str(slow), "--compute", "pool", "--retries", "1", home=home)
    until(lambda: said("job", "show", str(job["id"]), home=home)["state"] == "running")
    for box in boxes:
        kill(box.processes(), "distributed.cli.dask_worker")
    job = said("job", "wait", str(job["id"]), home=home)
    assert (job["state"], job["attempt"]) == ("succeeded", 2), job

    # a host is away: another is used
    until(lambda: nodes(home) == [])
    boxes[0].power_off()
    quick = write_notebook(folder / "quick.ipynb", "print(1)")
    job = said("job", "submit", str(quick), "--compute", "pool", "--wait", home=home)
    assert job["state"] == "succeeded", job
    assert boxes[0].ip in str(said("compute", "show", "pool", home=home)["message"])
    boxes[0].power_on()

    # deleted with a node that is up and a job that runs, it leaves nothing
    job = said("job", "submit", str(slow), "--compute", "pool", home=home)
    until(lambda: said("job", "show", str(job["id"]), home=home)["state"] == "running")
    assert perijove("compute", "delete", "pool", "--force", home=home).returncode == 0
    assert said("job", "show", str(job["id"]), home=home)["state"] == "canceled"
    until(lambda: not any(map(left, boxes)))
    assert not any(list((box.home / ".perijove-node" / "nodes").iterdir()) for box in boxes)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("hosts", {}),
        ("hosts", {"hosts": ["a", "a"], "host_keys": [KEY, KEY]}),
        ("host_keys", {"hosts": ["a", "b"], "host_keys": [KEY]}),
        ("hosts", {"on": "local", "hosts": ["a"], "host_keys": [KEY]}),
    ],
)
def test_what_is_no_pool_is_refused(field: str, given: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as caught:
        validated(ClusterDefinition, {"name": "pool", "on": "ssh"} | given)
    assert str(caught.value.field).rpartition(".")[2] == field


def test_every_host_has_one_node() -> None:
    given = {"name": "pool", "on": "ssh", "hosts": ["a", "b"], "host_keys": [KEY, KEY]}
    assert ClusterDefinition.model_validate(given).max_nodes == 2
    with pytest.raises(Conflict) as caught:
        asyncio.run(check_hosts(ClusterDefinition.model_validate(given | {"max_nodes": 3})))
    assert caught.value.field == "max_nodes"


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({}, None),
        ({"b": Unreachable("away", field="host")}, None),
        ({"a": Unreachable("away", field="host"), "b": Unreachable("off")}, "hosts"),
        (
            {"a": Unreachable("away"), "b": InvalidInput("no", field="identity_file")},
            "identity_file",
        ),
        ({"b": Conflict("changed", field="host_key")}, "host_keys"),
    ],
)
def test_every_host_that_is_there_lets_the_hub_in(
    told: dict[str, PerijoveError], field: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def connect(address: SshAddress) -> Mock:
        if address.host in told:
            raise told[address.host]
        return Mock()

    monkeypatch.setattr("perijove.compute.cluster.hosts.connect", connect)
    given = {"name": "pool", "on": "ssh", "hosts": ["a", "b"], "host_keys": [KEY, KEY]}
    asked = must_let_in(ClusterDefinition.model_validate(given))
    if field is None:
        asyncio.run(asked)
        return
    with pytest.raises(PerijoveError) as caught:
        asyncio.run(asked)
    assert caught.value.field == field
