"""A loopback port that leads to the hub's gate, for what can speak plain HTTP only.

User code finds MLflow behind it, whatever the way to the hub is: a Unix socket, TLS.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from perijove.models.agents import GateAddress

PIECE = 1 << 16
CONNECT = 10.0


class Relay:
    """Listens as long as it is open. `address` is asked for again for every client."""

    def __init__(self, address: Callable[[], GateAddress]) -> None:
        self._address = address
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def open(self, note: Path) -> str:
        """Listen; the URL. The port noted in the file `note` is taken again, if it is free."""
        wanted = 0
        with suppress(OSError, ValueError):
            wanted = int(note.read_text())
        try:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", wanted)
        except OSError:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        note.write_text(str(port))
        return f"http://127.0.0.1:{port}"

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
        for task in list(self._clients):
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            async with asyncio.timeout(CONNECT):
                far_reader, far_writer = await connect(self._address())
            try:
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
            finally:
                far_writer.close()
        except (OSError, TimeoutError):
            pass  # the client sees that nobody answers, and asks again
        finally:
            self._clients.discard(task)
            writer.close()


async def connect(
    address: GateAddress,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the gate."""
    if address.socket is not None:
        return await asyncio.open_unix_connection(address.socket)
    parts = urlsplit(address.url)
    secured = None if parts.scheme == "http" else trust(address)
    return await asyncio.open_connection(parts.hostname, parts.port, ssl=secured)


def trust(address: GateAddress) -> ssl.SSLContext:
    """TLS that believes the hub's own certificate only, whatever name it carries."""
    context = ssl.create_default_context(cadata=address.certificate)
    context.check_hostname = False
    return context


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
    with suppress(OSError, RuntimeError):
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()
