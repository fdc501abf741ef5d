"""A machine attached over SSH: jobs run there, whatever happens to the way and to the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import command, perijove, said, until, write_notebook
from perijove.models.attempts import WORK

from .hosts import Host, Hosts

pytestmark = pytest.mark.integration


@pytest.fixture
def box(hosts: Hosts, node: Path) -> Host:
    """A machine that is prepared already."""
    return hosts.add(node=node)


@pytest.fixture
def attached(box: Host, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a workspace with the machine attached as *box*."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    attach(box, home)
    return home


def attach(box: Host, home: Path, name: str = "box") -> None:
    """Attach the machine."""
    address = box.address()
    found = said(
        *("compute", "attach", name, "--host", f"root@{box.ip}"),
        *("--identity-file", str(address.identity_file), "--host-key", str(address.host_key)),
        *("--cpus", "2"),
        home=home,
    )
    assert found["state"] == "running", found


def test_a_machine_is_attached_used_and_let_go(attached: Path, box: Host, tmp_path: Path) -> None:
    home = attached
    folder = tmp_path / "work"  # what lies beside a notebook goes with it
    folder.mkdir()
    (folder / "data.csv").write_text("a\n1\n")
    path = write_notebook(
        folder / "first.ipynb",
        "import mlflow, os, socket\nmlflow.log_metric('seen', 1)",
        "open(os.environ['PERIJOVE_OUTPUTS'] + '/host', 'w').write(socket.gethostname())",
        "print(open('data.csv').read())",
    )
    job = said("job", "submit", str(path), "--compute", "box", "--wait", home=home)
    assert job["state"] == "succeeded", job
    output = Path(str(job["output_notebook"])).parent / WORK / "outputs" / "host"
    assert output.read_text() == box.name
    shown = said("compute", "show", "box", home=home)
    assert box.name in str(shown["properties"])

    # the way is cut while a job runs: it goes on, and is read when the way is back
    slow = write_notebook(
        folder / "slow.ipynb",
        "import time, mlflow\ntime.sleep(8)\nmlflow.log_metric('end', 1)",
    )
    job = said("job", "submit", str(slow), "--compute", "box", home=home)
    until(lambda: said("job", "show", str(job["id"]), home=home)["state"] == "running")
    box.cut()
    until(lambda: said("compute", "show", "box", home=home)["message"])
    box.restore()
    job = said("job", "wait", str(job["id"]), home=home)
    assert (job["state"], job["attempt"]) == ("succeeded", 1), job

    # a kernel there, from papermill, by its kernelspec; and the machine's files
    data = tmp_path / "data"
    kernelspec = data / "kernels" / "base@box"
    until(kernelspec.exists)
    cells = [
        "import mlflow, os, socket",
        "print(socket.gethostname())",
        "mlflow.set_experiment('k')",
    ]
    here = write_notebook(folder / "kernel.ipynb", *cells)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "papermill", "-k", "base@box"),
            *(str(here), str(folder / "executed.ipynb")),
        ],
        env=os.environ | {"JUPYTER_DATA_DIR": str(data), "PERIJOVE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert box.name in (folder / "executed.ipynb").read_text()

    # power is lost: what ran there is lost, and tried again where that is wished
    path = write_notebook(
        folder / "again.ipynb",
        "import os, time\ntime.sleep(600 if os.environ['PERIJOVE_ATTEMPT'] == '1' else 1)",
    )
    job = said("job", "submit", str(path), "--compute", "box", "--retries", "1", home=home)
    until(lambda: said("job", "show", str(job["id"]), home=home)["state"] == "running")
    box.reboot()
    job = said("job", "wait", str(job["id"]), home=home)
    assert (job["state"], job["attempt"]) == ("succeeded", 2), job

    assert perijove("compute", "delete", "box", home=home).returncode == 0
    assert not [p for p in box.processes() if "perijove" in command(p)]
    assert not list((box.home / ".perijove-node" / "agents").iterdir())


def test_what_was_left_on_a_machine_that_was_away_is_ended_later(attached: Path, box: Host) -> None:
    def agents() -> list[str]:
        lines = map(command, box.processes())
        return [line.split()[-1] for line in lines if "perijove.compute.instance.agent" in line]

    (left,) = set(agents())
    box.kill_sshd()
    refused = said("compute", "delete", "box", home=attached, code=3)
    assert "deleted" not in str(refused)
    gone = said("compute", "delete", "BOX", "--force", home=attached)
    assert "attached again" in str(gone["message"])
    assert agents()
    box.start_sshd()
    attach(box, attached, "other")
    (there,) = set(agents())
    assert there != left
    assert box.exec("ls", left).returncode


def test_what_cannot_be_attached_leaves_nothing(hosts: Hosts, home: Path, tmp_path: Path) -> None:
    box, other = hosts.add(), hosts.add()

    def refused(at: Host, code: int = 2, **changes: str) -> dict[str, str]:
        options = {
            "host": f"root@{at.ip}",
            "identity-file": str(at.address().identity_file),
            "host-key": str(at.address().host_key),
        } | changes
        words = [w for name, value in options.items() if value for w in (f"--{name}", value)]
        found = said("compute", "attach", "box", *words, home=home, code=code)["error"]
        assert perijove("compute", "show", "box", home=home).returncode == 2
        assert not at.exec("ls", "-A", "/root").stdout
        assert not [p for p in at.processes() if "perijove" in command(p)]
        return found  # type: ignore[return-value]

    error = refused(box, **{"host-key": str(other.address().host_key)})
    assert "SHA256" in error["message"] + error["remedy"]
    # nobody confirms the key
    assert refused(box, **{"host-key": ""})["field"] == "host_key"
    stranger = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
    error = refused(box, **{"identity-file": str(stranger)})
    assert error["field"] == "identity_file", error
    full = hosts.add(disk="64m")
    assert "full" in refused(full)["message"]
    programs = [path for path in Path("/usr/bin").glob("python3*") if not path.is_symlink()]
    bare = hosts.add(broken=programs, python=False)
    error = refused(bare)
    assert "no Python 3.11" in error["message"]
    assert "Install Python" in error["remedy"]


def test_a_full_disk_there_is_said_and_a_job_in_the_way_is_too(
    hosts: Hosts, node: Path, home: Path, tmp_path: Path
) -> None:
    box = hosts.add(node=node, disk="64m")
    attach(box, home)
    # nobody but loopback hears anything of ours there
    before = {at for at in hosts.add().listeners() if at.endswith(":22")}
    assert {at for at in box.listeners() if not at.startswith("127.0.0.1:")} == before
    folder = tmp_path / "work"
    folder.mkdir()
    path = write_notebook(folder / "job.ipynb", "import time\ntime.sleep(600)")
    submit = ("job", "submit", str(path), "--compute", "box")

    box.exec("dd", "if=/dev/zero", "of=/root/big", "bs=1M")
    job = said(*submit, "--wait", home=home, code=1)
    assert (job["state"], job["reason"]) == ("failed", "disk_full"), job
    box.exec("rm", "/root/big")

    job = said(*submit, home=home)
    until(lambda: said("job", "show", str(job["id"]), home=home)["state"] == "running")
    assert {at for at in box.listeners() if not at.startswith("127.0.0.1:")} == before
    refused = said("compute", "delete", "box", home=home, code=2)
    assert "1 job of box is not over" in json.dumps(refused)
    assert said("job", "show", str(job["id"]), home=home)["state"] == "running"
    assert perijove("compute", "delete", "box", "--force", home=home).returncode == 0
    assert said("job", "show", str(job["id"]), home=home)["state"] == "canceled"
    assert not [p for p in box.processes() if "perijove" in command(p)]
    assert not box.exec("ls", "-A", "/root/.perijove-node/agents").stdout
