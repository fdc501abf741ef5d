"""Servers that hang, that are slow, and that are about to start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from unittest.mock import AsyncMock

import httpx
import pytest
import pytest_asyncio

from perijove.errors import TrackingUnreachable
from perijove.tracking import connection
from perijove.tracking.connection import Connection

pytestmark = pytest.mark.asyncio
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.is_well = True
        self.looks = 0
        self.uri = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if head.startswith(b"GET /health"):
                self.looks += 1
                if not self.is_well:
                    await self.answers.wait()
            else:
                await self.answers.wait()
            writer.write(OK)


@pytest_asyncio.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    monkeypatch.setattr(connection, "LATE", 0.02)
    monkeypatch.setattr(connection, "HUNG", 0.1)
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.uri = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield made
    listening.close()


async def until_asked(server: Server) -> None:
    while server.looks < 3:
        await asyncio.sleep(0.01)


async def test_what_hangs_is_said_and_recovers(server: Server) -> None:
    mlflow = Connection(server.uri)
    server.is_well = False
    with pytest.raises(TrackingUnreachable, match="does not answer"):
        await mlflow.get("x", {})
    server.answers.set()
    assert await mlflow.get("x", {}) == {}
    await mlflow.close()


async def test_what_is_only_slow_is_waited_for(server: Server) -> None:
    mlflow = Connection(server.uri)
    asked = asyncio.create_task(mlflow.get("x", {}))
    await until_asked(server)
    assert not asked.done()
    server.answers.set()
    assert await asked == {}
    await mlflow.close()


async def test_what_starts_is_waited_for(server: Server) -> None:
    is_starting = True
    mlflow = Connection(server.uri, embedded=True, starting=lambda: is_starting)
    server.is_well = False
    asked = asyncio.create_task(mlflow.get("x", {}))
    await asyncio.sleep(0.3)
    assert not asked.done()
    is_starting = False
    with pytest.raises(TrackingUnreachable):
        await asked
    await mlflow.close()


async def test_the_second_writer_of_a_new_tag_writes_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = b'{"error_code": "BAD_REQUEST", "message": "(sqlite3.IntegrityError) UNIQUE"}'
    answers = [httpx.Response(400, content=taken), httpx.Response(200, content=b"{}")]
    mlflow = Connection("http://127.0.0.1:9")
    monkeypatch.setattr(mlflow.http, "request", AsyncMock(side_effect=answers))
    assert await mlflow.post("experiments/set-experiment-tag", {}) == {}
    await mlflow.close()
