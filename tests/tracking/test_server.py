"""The supervisor: a server that dies is replaced behind its port, one that lives is adopted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from perijove.models.workspaces import WorkspaceFolder
from perijove.tracking.server import MlflowServer
from tracking.conftest import OWNER, make_folder, until

pytestmark = [pytest.mark.integration, pytest.mark.asyncio]


@pytest.fixture
def folder(tmp_path: Path) -> WorkspaceFolder:
    return make_folder(tmp_path)


@pytest_asyncio.fixture
async def server(folder: WorkspaceFolder) -> AsyncIterator[MlflowServer]:
    made = MlflowServer(folder, None)
    await made.start()
    yield made
    last = MlflowServer(folder, None)  # whoever has it by now
    last.bind()
    await made.release()
    await last.stop()


async def version(server: MlflowServer, seconds: float = 60) -> int:
    """Ask a question that waits until it is answered."""
    async with httpx.AsyncClient(timeout=seconds, trust_env=False) as client:
        headers = {"Authorization": f"Bearer {OWNER}"}
        return (await client.get(f"{server.uri}/version", headers=headers)).status_code


async def test_from_the_first_start_to_the_end(server: MlflowServer) -> None:
    uri, first = server.uri, server.pid
    assert first is not None
    assert server.state == "starting"
    assert not await asyncio.wait_for(server.ready(), 30)
    # clients connect at once and wait
    assert await version(server) == 200
    await until(lambda: server.state == "running")
    assert await server.ready()

    # killed: a client that calls right then waits for the next one
    os.kill(first, signal.SIGKILL)
    await until(lambda: server.pid not in (first, None))
    assert await version(server) == 200
    assert server.uri == uri
    await until(lambda: server.state == "running")

    await server.stop()
    assert not await server.ready()
    with pytest.raises(httpx.ConnectError):
        await version(server)


async def test_a_second_supervisor_adopts(server: MlflowServer, folder: WorkspaceFolder) -> None:
    assert await version(server) == 200
    await server.release()  # as a killed hub does: the sockets are closed, the server stays
    second = MlflowServer(folder, None)
    await second.start()
    try:
        assert (second.pid, second.uri, second.state) == (server.pid, server.uri, "running")
        assert await version(second) == 200

        os.kill(second.pid or 0, signal.SIGKILL)
        await until(lambda: second.pid not in (server.pid, None))
        assert second.uri == server.uri
        assert await version(second) == 200
    finally:
        await second.release()


async def test_a_server_that_was_not_noted_is_found(
    server: MlflowServer, folder: WorkspaceFolder
) -> None:
    assert await version(server) == 200
    await server.release()
    record = folder.mlflow / "server.json"
    record.write_text(json.dumps({"port": json.loads(record.read_text())["port"]}))
    second = MlflowServer(folder, None)
    second.bind()
    assert (second.pid, second.uri) == (server.pid, server.uri)
    await second.release()


async def test_nobody_gets_the_port_meanwhile(folder: WorkspaceFolder) -> None:
    """The socket of a supervisor that adopted is bound, and refuses until it listens."""
    first = MlflowServer(folder, None)
    first.bind()
    port = int(first.uri.rpartition(":")[2])
    with socket.socket() as other:
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
    await first.release()


async def test_a_port_that_somebody_took(folder: WorkspaceFolder) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        folder.mlflow.mkdir()
        (folder.mlflow / "server.json").write_text(json.dumps({"port": port}))
        server = MlflowServer(folder, None)
        server.bind()
        assert server.uri not in (f"http://127.0.0.1:{port}", "http://127.0.0.1:0")
        await server.release()


async def test_a_port_is_kept(folder: WorkspaceFolder) -> None:
    folder.mlflow.mkdir()
    for text in ("", "{", '{"port": 0}'):
        (folder.mlflow / "server.json").write_text(text)
        server = MlflowServer(folder, None)
        server.bind()
        assert not server.uri.endswith(":0")
        await server.release()


async def test_a_server_that_cannot_start_is_said(folder: WorkspaceFolder) -> None:
    folder.secrets.write_text("not JSON")
    server = MlflowServer(folder, None)
    await server.start()
    try:
        await until(lambda: server.state == "unreachable")
        assert "JSONDecodeError" in (folder.mlflow / "mlflow.log").read_text()
    finally:
        await server.stop()
