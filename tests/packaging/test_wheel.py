"""The wheel in an empty environment without Node: panel, server extension, CLI and SDK work."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from conftest import free_port, write_notebook

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-of-the-test-s-own"


def run(*command: object, **environ: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        env=os.environ | environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


@dataclass
class Installed:
    """An environment that has the wheel and what it requires, and nothing of this one."""

    bin: Path
    environ: dict[str, str]

    def run(self, program: str, *words: object) -> str:
        return run(self.bin / program, *words, **self.environ)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    [wheel] = folder.glob("*.whl")
    run(sys.executable, "-m", "venv", folder / "env")
    python = folder / "env/bin/python"
    uv = Path(sys.executable).parent / "uv"
    pins = ROOT / "requirements/run.txt"
    run(uv, "pip", "install", "--python", python, "--require-hashes", "-r", pins)
    run(uv, "pip", "install", "--python", python, "--no-deps", wheel)
    clean = {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "PYTHONPATH": "",
        "PERIJOVE_HOME": str(folder / "home"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }
    if (Path("/usr/bin/node")).exists():
        clean["PATH"] = str(python.parent)
    assert shutil.which("node", path=clean["PATH"]) is None
    made = Installed(python.parent, clean)
    yield made
    made.run("perijove", "down", "--force")


def test_the_wheel_works_without_node(installed: Installed, tmp_path: Path) -> None:
    listed = installed.run("jupyter", "labextension", "list")
    assert "perijove v0.1.0" in listed
    assert "enabled" in listed
    listed = installed.run("jupyter", "server", "extension", "list")
    assert "perijove" in listed
    notebook = write_notebook(tmp_path / "n.ipynb", "print(6 * 7)")
    installed.run("perijove", "job", "submit", notebook, "--wait", "--json")
    [job] = json.loads(installed.run("perijove", "job", "list", "--json"))
    assert job["state"] == "succeeded"
    code = "import perijove as pj; print(pj.__file__, pj.Workspace().jobs.list()[0].state)"
    file, state = installed.run("python", "-c", code).split()
    assert Path(file).is_relative_to(installed.bin.parent)
    assert state == "succeeded"


@contextmanager
def serving(installed: Installed, program: str, folder: Path) -> Iterator[httpx.Client]:
    """A Jupyter server on a port of its own, and a client without credentials."""
    port = free_port()
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "ServerApp.root_dir": folder,
        "IdentityProvider.token": TOKEN,
    }
    command = [installed.bin / "jupyter", program, *(f"--{k}={v}" for k, v in options.items())]
    log = folder / "server.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [str(word) for word in command],
            env=os.environ | installed.environ,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            while not _answers(client):
                assert process.poll() is None, log.read_text()
                time.sleep(0.1)
            yield client
        process.terminate()
        assert process.wait(60) == 0, log.read_text()
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        process.kill()
        process.wait()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/api").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("program", ["lab", "server"])
def test_a_server_without_node_has_the_routes_and_the_panel(
    installed: Installed, tmp_path: Path, program: str
) -> None:
    write_notebook(tmp_path / "served.ipynb", "print(6 * 7)")
    with serving(installed, program, tmp_path) as client:
        assert client.get("/perijove/api/status").status_code == 403
        assert client.get("/perijove/events").status_code == 403
        client.headers["Authorization"] = f"token {TOKEN}"
        status = client.get("/perijove/api/status")
        assert (status.status_code, status.json()["state"]) == (200, "running")

        config = re.search(
            r'id="jupyter-config-data"[^>]*>(.*?)</script>', client.get("/lab").text, re.S
        )
        assert config is not None
        extensions: list[dict[str, Any]] = json.loads(config[1])["federated_extensions"]
        [ours] = [extension for extension in extensions if extension["name"] == "perijove"]
        assert "remoteEntry" in ours["load"]
        entry = client.get(f"/lab/extensions/perijove/{ours['load']}")
        assert (entry.status_code, "perijove" in entry.text) == (200, True)
        assert "javascript" in entry.headers["Content-Type"]
        assert client.get("/lab/api/settings/perijove:jobs").json()["id"] == "perijove:jobs"

        submitted = client.post("/perijove/api/jobs", json={"path": "served.ipynb"})
        assert submitted.status_code == 201, submitted.text
        job = submitted.json()["id"]
        waited = client.get(f"/perijove/api/jobs/{job}/wait", params={"timeout": 100})
        assert waited.json()["state"] == "succeeded", waited.text
        assert "42" in client.get(f"/perijove/api/jobs/{job}/log").text
    # the hub and what it runs do not end with the server
    assert json.loads(installed.run("perijove", "status", "--json"))["state"] == "running"
