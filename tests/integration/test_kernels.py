"""Kernels on instances, as Jupyter's programs use them: a real hub, kernels, Jupyter servers."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import nbformat
import psutil
import pytest
from jupyter_client.manager import AsyncKernelManager

from conftest import MakeNotebook, at_home, free_port, until
from perijove.client.discovery import find_hub, workspace_folder
from perijove.client.workspace import Workspace
from perijove.errors import Conflict, InvalidInput, NotFound
from perijove.models.kernels import KernelRequest, KernelState
from perijove.models.processes import start_time
from perijove.testing.kernels import evaluate

pytestmark = pytest.mark.integration

KERNEL = "base@local"
PATIENCE = 60.0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace with kernelspecs for this machine, in a Jupyter data folder of its own."""
    folder = tmp_path_factory.mktemp("kernels")
    home, data, user = folder / "home", folder / "data", folder / "user"
    user.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(data))
        patch.setenv("HOME", str(user))
        with at_home(home, local_kernels=True, preload=["numpy"]):
            Workspace().up()
            until((data / "kernels" / KERNEL / "kernel.json").exists)
            yield folder


@pytest.fixture
def ws(place: Path) -> Iterator[Workspace]:
    workspace = Workspace()
    yield workspace
    for kernel in workspace.kernels.list("local"):
        workspace.kernels.end(kernel.kernel_id)


def alive(ws: Workspace) -> list[str]:
    return [k.kernel_id for k in ws.kernels.list("local") if k.state is not KernelState.DEAD]


async def sleeping(client: Any, begun: Path) -> asyncio.Task[str]:
    """A long cell, in which the kernel is."""
    code = f"import time; open({str(begun)!r}, 'w'); time.sleep(600)"
    cell = asyncio.create_task(evaluate(client, code))
    while not begun.exists():
        await asyncio.sleep(0.02)
    return cell


@pytest.mark.asyncio
async def test_a_kernel_manager_starts_interrupts_restarts_and_ends_it(
    ws: Workspace, tmp_path: Path
) -> None:
    manager = AsyncKernelManager(kernel_name=KERNEL)
    await manager.start_kernel(env=os.environ | {"JPY_SESSION_NAME": "x.ipynb", "SHADE": "red"})
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(PATIENCE)
    assert await evaluate(client, "import os; print(os.environ['SHADE'])") == "red"
    assert [kernel.name for kernel in ws.kernels.list("local")] == ["x.ipynb"]

    slow = await sleeping(client, tmp_path / "begun")
    await manager.interrupt_kernel()
    with pytest.raises(RuntimeError, match="KeyboardInterrupt"):
        await slow

    before = manager.get_connection_info()
    first = ws.kernels.list("local")[0].pid
    await evaluate(client, "answer = 42")
    await manager.restart_kernel()
    assert manager.get_connection_info() == before
    await client.wait_for_ready(PATIENCE)
    with pytest.raises(RuntimeError, match="NameError"):
        await evaluate(client, "answer")
    second = ws.kernels.list("local")[0].pid
    assert second != first

    assert second is not None
    os.killpg(second, signal.SIGKILL)
    while await manager.is_alive():
        await asyncio.sleep(0.02)
    await manager.restart_kernel(now=True)  # as a restarter does
    await client.wait_for_ready(PATIENCE)
    client.stop_channels()
    await manager.shutdown_kernel()
    assert not manager.has_kernel
    assert ws.kernels.list("local") == []


def test_papermill_runs_there_unchanged(
    ws: Workspace, notebook: MakeNotebook, tmp_path: Path
) -> None:
    path = notebook("import os; print(os.environ['PERIJOVE_WORKSPACE'], n)", parameters="n = 1")
    program = str(Path(sys.executable).with_name("papermill"))
    output = tmp_path / "out.ipynb"
    command = [program, str(path), str(output), "-k", KERNEL, "-p", "n", "7"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    printed = "".join(
        part["text"]
        for cell in nbformat.read(output, 4).cells
        for part in cell.get("outputs", ())
        if part.output_type == "stream"
    )
    assert printed == "default 7\n"
    assert ws.kernels.list("local") == []


def test_a_kernel_ends_with_what_started_it(ws: Workspace, tmp_path: Path) -> None:
    code = (
        "from jupyter_client.manager import start_new_kernel\n"
        f"manager, client = start_new_kernel(kernel_name={KERNEL!r})\n"
        "print('up', flush=True)\nimport time; time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    (kernel,) = ws.kernels.list("local")
    process.kill()
    process.wait()
    process.stdout.close()
    until(lambda: ws.kernels.list("local") == [])
    assert start_time(kernel.pid or 0) is None


@pytest.mark.asyncio
async def test_a_killed_hub_touches_no_kernel(ws: Workspace, tmp_path: Path) -> None:
    manager = AsyncKernelManager(kernel_name=KERNEL)
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(PATIENCE)
    await evaluate(client, "answer = 42")
    hub = find_hub(workspace_folder())
    assert hub is not None
    os.kill(hub.pid, signal.SIGKILL)
    assert await evaluate(client, "print(answer)") == "42"
    assert await manager.is_alive()
    slow = await sleeping(client, tmp_path / "begun")
    await manager.interrupt_kernel()  # brings the next hub up
    with pytest.raises(RuntimeError, match="KeyboardInterrupt"):
        await slow
    assert await evaluate(client, "print(answer)") == "42"
    client.stop_channels()
    await manager.shutdown_kernel()
    assert ws.kernels.list("local") == []


def test_what_is_refused(ws: Workspace, place: Path) -> None:
    identity = "0e0b6f2c-6bd5-4f0a-8a59-1d6c8b3b7a11"
    with pytest.raises(NotFound, match="no-such"):
        ws.kernels.start("no-such", KernelRequest(kernel_id=identity))
    with pytest.raises(NotFound, match="nowhere"):
        ws.kernels.start("local", KernelRequest(kernel_id=identity, environment="nowhere"))
    with pytest.raises(NotFound):
        ws.kernels.signal(identity, signal.SIGINT)
    with pytest.raises(InvalidInput, match="UUID"):
        ws.kernels.get("secrets")
    assert list((place / "home/workspaces/default/kernels").glob("*.json")) == []
    ws.kernels.start("local", KernelRequest(kernel_id=identity))
    with pytest.raises(Conflict, match="1 kernel of local is open"):
        ws.client.request("POST", "/shutdown", json={"force": False})


class Lab:
    """A Jupyter server with our extension."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.log = (folder / "server.log").open("a")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
                f"--ServerApp.port={port}",
                "--IdentityProvider.token=t",
                f"--ServerApp.root_dir={folder}",
                "--ServerApp.jpserver_extensions={'perijove': True}",
            ],
            stdout=self.log,
            stderr=self.log,
            cwd=folder,
        )
        headers = {"Authorization": "token t"}
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=PATIENCE
        )
        until(self._answers)

    def _answers(self) -> bool:
        try:
            return self.client.get("/api").status_code == 200
        except httpx.TransportError:
            assert self.process.poll() is None
            return False

    def session(self, kernel: str) -> dict[str, Any]:
        body = {"path": "a.ipynb", "type": "notebook", "name": "a", "kernel": {"name": kernel}}
        answer = self.client.post("/api/sessions", json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def end(self, number: int) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(PATIENCE)
        self.client.close()
        self.log.close()


@contextmanager
def lab(folder: Path, end: int = signal.SIGKILL) -> Iterator[Lab]:
    made = Lab(folder)
    try:
        yield made
    finally:
        made.end(end)


def client_of(ws: Workspace, kernel_id: str) -> Any:
    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient()
    connection = ws.kernels.get(kernel_id).connection
    client.load_connection_info(connection.model_dump(exclude_none=True))
    client.start_channels()
    client.wait_for_ready(PATIENCE)
    return client


def run(ws: Workspace, kernel_id: str, code: str) -> str:
    client, printed = client_of(ws, kernel_id), []
    try:
        client.execute_interactive(
            code,
            timeout=PATIENCE,
            output_hook=lambda m: printed.append(m["content"].get("text", "")),
        )
    finally:
        client.stop_channels()
    return "".join(printed).strip()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_the_next_jupyter_server_adopts_it(ws: Workspace, tmp_path: Path, end: int) -> None:
    with lab(tmp_path, end) as first:
        listed = first.client.get("/api/kernelspecs").json()["kernelspecs"]
        assert listed[KERNEL]["spec"]["display_name"] == "Python (base) @ local"
        session = first.session(KERNEL)
        plain = first.client.post("/api/kernels", json={"name": "python3"}).json()
        kernel_id = session["kernel"]["id"]
        run(ws, kernel_id, "answer = 42")
        # another server with the same root has kernels of its own
        with lab(tmp_path) as beside:
            assert beside.client.get("/api/kernels").json() == []
    assert alive(ws) == [kernel_id]
    with lab(tmp_path) as second:
        (found,) = second.client.get("/api/sessions").json()
        assert (found["path"], found["kernel"]["id"]) == ("a.ipynb", kernel_id)
        kernels = second.client.get("/api/kernels").json()
        assert [kernel["id"] for kernel in kernels] == [kernel_id]
        assert plain["id"] != kernel_id
        assert run(ws, kernel_id, "print(answer)") == "42"
        assert second.client.post(f"/api/kernels/{kernel_id}/restart").status_code == 200
        assert run(ws, kernel_id, "print('answer' in globals())") == "False"
        assert second.client.delete(f"/api/kernels/{kernel_id}").status_code == 204
        assert ws.kernels.list("local") == []
    with lab(tmp_path) as third:
        assert third.client.get("/api/kernels").json() == []


def test_one_that_dies_is_started_again_by_the_server(ws: Workspace, tmp_path: Path) -> None:
    with lab(tmp_path) as server:
        kernel_id = server.session(KERNEL)["kernel"]["id"]
        first = ws.kernels.get(kernel_id).pid
        assert first is not None
        os.killpg(first, signal.SIGKILL)
        until(lambda: ws.kernels.get(kernel_id).pid != first)
        assert run(ws, kernel_id, "print(6 * 7)") == "42"


def test_an_error_says_what_is_wrong(ws: Workspace, place: Path, tmp_path: Path) -> None:
    broken = place / "data" / "kernels" / "broken"
    spec = json.loads((place / "data" / "kernels" / KERNEL / "kernel.json").read_text())
    spec["metadata"]["kernel_provisioner"]["config"]["instance"] = "gone"
    broken.mkdir()
    (broken / "kernel.json").write_text(json.dumps(spec))
    with lab(tmp_path) as server:
        answer = server.client.post("/api/kernels", json={"name": "broken"})
        assert answer.status_code == 404
        assert "no compute target named 'gone'" in answer.json()["message"]


def test_nothing_listens_but_on_loopback(ws: Workspace, tmp_path: Path) -> None:
    with lab(tmp_path) as server:
        kernel_id = server.session(KERNEL)["kernel"]["id"]
        run(ws, kernel_id, "1")
        hub = find_hub(workspace_folder())
        assert hub is not None
        pids = (server.process.pid, hub.pid, ws.kernels.get(kernel_id).pid)
        listening = [
            entry.laddr.ip
            for pid in pids
            for entry in psutil.Process(pid).net_connections()
            if entry.status == psutil.CONN_LISTEN
        ]
        assert set(listening) <= {"127.0.0.1", "::1"}
        assert "127.0.0.1" in listening


def test_its_files_are_a_drive(ws: Workspace, place: Path, tmp_path: Path) -> None:
    user = place / "user"
    (user / "data").mkdir()
    (user / "data" / "a.txt").write_text("één")
    (user / "b.bin").write_bytes(b"\xff\x00")
    (user / "out").symlink_to(tmp_path)
    with lab(tmp_path) as server:
        url = "/perijove/drives/local/contents"

        def ask(method: str, where: str, **body: Any) -> httpx.Response:
            return server.client.request(method, f"{url}/{where}", json=body or None)

        listed = ask("GET", "").json()
        assert {"data", "b.bin"} <= {entry["name"] for entry in listed["content"]}
        # a link that leads out is neither shown nor followed
        assert "out" not in {entry["name"] for entry in listed["content"]}
        assert ask("GET", "out/server.log").status_code == 422
        assert ask("GET", "..%2Fhome").status_code in (404, 422)
        assert ask("GET", "data/a.txt").json()["content"] == "één"
        assert ask("GET", "b.bin").json()["format"] == "base64"
        assert ask("GET", "none").status_code == 404
        files = url.replace("contents", "files")
        sent = server.client.get(f"{files}/b.bin")
        assert sent.content == b"\xff\x00"
        assert "sandbox" in sent.headers["content-security-policy"]
        assert server.client.get(f"{files}/out/server.log").status_code == 422
        assert server.client.get(f"{files}/data/a.txt?download=1").text == "één"
        assert httpx.get(f"{server.client.base_url}{files}/b.bin").status_code in (302, 403)

        made = ask("POST", "data", type="notebook", ext=".ipynb").json()
        assert made["path"] == "data/Untitled.ipynb"
        cell = {"cell_type": "code", "source": "1", "metadata": {}, "outputs": []}
        cell |= {"execution_count": None, "id": "a"}
        notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        saved = ask("PUT", made["path"], type="notebook", format="json", content=notebook)
        assert saved.status_code == 200, saved.text
        assert nbformat.read(user / "data" / "Untitled.ipynb", 4).cells[0].source == "1"
        assert ask("POST", made["path"] + "/checkpoints").status_code == 201
        assert ask("GET", made["path"] + "/checkpoints").json() == []
        hashed = server.client.get(f"{url}/{made['path']}?content=0&hash=1").json()
        assert hashed["hash"]
        moved = ask("PATCH", made["path"], path="data/c.ipynb")
        assert moved.json()["path"] == "data/c.ipynb"
        assert ask("PATCH", "data/c.ipynb", path="data/a.txt").status_code == 409
        for number, piece in ((1, "AAEC"), (2, "AwQF"), (-1, "BgcI")):
            fields = {"type": "file", "format": "base64", "content": piece, "chunk": number}
            assert ask("PUT", "data/big.bin", **fields).status_code in (200, 201)
        assert (user / "data" / "big.bin").read_bytes() == bytes(range(9))
        # in pieces it may be larger than what other requests may send
        piece = base64.b64encode(bytes(12 << 20)).decode()
        for number in (1, -1):
            fields = {"type": "file", "format": "base64", "content": piece, "chunk": number}
            assert ask("PUT", "data/big.bin", **fields).status_code == 200
        assert (user / "data" / "big.bin").stat().st_size == 24 << 20
        assert ask("DELETE", "data/big.bin").status_code == 204
        assert ask("DELETE", "data").status_code == 409
        assert ask("DELETE", "data/c.ipynb").status_code == 204
        assert sorted(path.name for path in (user / "data").iterdir()) == ["a.txt"]
        assert httpx.get(str(server.client.base_url) + url).status_code == 403
        gone = server.client.get("/perijove/drives/gone/contents/")
        assert gone.status_code == 404
