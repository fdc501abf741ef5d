"""Listeners here whose clients are led on to somewhere else.

On a node, a loopback port leads to the hub's gate, for what can speak plain HTTP only: user code
finds MLflow behind it, whatever the way to the hub is. `perijove.compute.ssh` leads to ports and
sockets of a host.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from perijove.errors import Conflict
from perijove.models.agents import GateAddress

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
PIECE = 1 << 16
"""Bytes moved at once."""
CONNECT = 10.0


class Reader(Protocol):
    """asyncio's, or asyncssh's."""

    async def read(self, n: int = -1, /) -> bytes: ...


class Writer(Protocol):
    """asyncio's, or asyncssh's."""

    def write(self, data: bytes, /) -> None: ...
    async def drain(self) -> None: ...
    def can_write_eof(self) -> bool: ...
    def write_eof(self) -> None: ...
    def close(self) -> None: ...


class Relay:
    """Listens as long as it is open. `connect` is asked again for every client; if it raises,
    the client is turned away."""

    def __init__(self, connect: Callable[[], Awaitable[tuple[Reader, Writer]]]) -> None:
        self._connect = connect
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def listen_port(self, port: int | None = None) -> int:
        """Listen on a port of the loopback address; None: any that is free.

        Raises
        ------
        Conflict: the port is taken.
        """
        try:
            self._server = await asyncio.start_server(self._serve, LOOPBACK, port or 0)
        except OSError as error:
            raise Conflict(f"Port {port} of this machine is taken.", field="local_port") from error
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    async def listen_again(self, note: Path) -> str:
        """Listen; the URL. The port noted in the file `note` is taken again, if it is free."""
        wanted = None
        with suppress(OSError, ValueError):
            wanted = int(note.read_text())
        try:
            port = await self.listen_port(wanted)
        except Conflict:
            port = await self.listen_port()
        note.write_text(str(port))
        return f"http://{LOOPBACK}:{port}"

    async def listen_path(self, path: Path) -> None:
        """Listen on a Unix socket, for its owner only."""
        path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, path)
        path.chmod(0o600)

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
                far_reader, far_writer = await self._connect()
            try:
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
            finally:
                far_writer.close()
        except (Exception, asyncio.CancelledError) as error:
            # asyncssh has errors of its own, and nodes have no asyncssh; the client asks again
            log.debug("A connection that was led on ended: %s", error)
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


async def _pump(reader: Reader, writer: Writer) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    with suppress(OSError, RuntimeError):
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()
