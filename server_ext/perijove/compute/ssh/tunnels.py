"""Tunnels that outlive the connection they go through.

`Relay`: a listener here, whose clients reach a port or socket on the host. The listener stays
while the connection is away, so nobody else gets its port; clients are turned away meanwhile.
`WayBack`: a port on the host, whose clients reach a Unix socket here. After every reconnect the
same port is asked for again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import asyncssh

from perijove.compute.ssh.explain import explain
from perijove.errors import Conflict, PerijoveError

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
PIECE = 1 << 16
"""Bytes moved at once."""
AGAIN, TRIES = 0.25, 8
"""Seconds between two tries for a port on the host, and how many are made while somebody waits."""

Connection = asyncssh.SSHClientConnection
Stream = tuple[asyncssh.SSHReader[bytes], asyncssh.SSHWriter[bytes]]


class Relay:
    """See the module. `open_remote` opens a stream to the far end through a connection."""

    def __init__(
        self,
        connection: Callable[[], Connection | None],
        open_remote: Callable[[Connection], Awaitable[Stream]],
    ) -> None:
        self._connection = connection
        self._open_remote = open_remote
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def listen_port(self, port: int | None) -> int:
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

    async def listen_path(self, path: Path) -> None:
        """Listen on a Unix socket, for its owner only."""
        path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, path)
        path.chmod(0o600)

    async def close(self) -> None:
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
            connection = self._connection()
            if connection is not None:
                far_reader, far_writer = await self._open_remote(connection)
                try:
                    await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
                finally:
                    far_writer.close()
        except (OSError, asyncssh.Error, asyncio.CancelledError) as error:
            log.debug("A tunnelled connection ended: %s", error)
        finally:
            self._clients.discard(task)
            writer.close()


async def _pump(
    reader: asyncio.StreamReader | asyncssh.SSHReader[bytes],
    writer: asyncio.StreamWriter | asyncssh.SSHWriter[bytes],
) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()


class WayBack:
    """See the module."""

    def __init__(self, target: Path, port: int | None) -> None:
        self.port = port
        self.ready = asyncio.Event()
        self._target = str(target)
        self._retrying: asyncio.Task[None] | None = None

    async def open(self, connection: Connection, place: str) -> int:
        """Listen on the host.

        Raises
        ------
        Conflict: the port is taken there, or its sshd forwards none.
        Unreachable: the connection is gone.
        """
        self.ready.clear()
        for left in reversed(range(TRIES if self.port else 1)):
            try:
                listener = await connection.forward_remote_port_to_path(
                    LOOPBACK, self.port or 0, self._target
                )
                break
            except asyncssh.ChannelListenError as error:
                if not left:
                    what = f"port {self.port}" if self.port else "a port"
                    raise Conflict(
                        f"{place} does not give the hub {what} for the way back.",
                        field="port",
                        remedy="Free it, or set AllowTcpForwarding yes in its sshd_config.",
                    ) from error
                await asyncio.sleep(AGAIN)
            except (OSError, asyncssh.Error) as error:
                raise explain(error, place) from error
        self.port = listener.get_port()
        self.ready.set()
        return self.port

    async def reopen(self, connection: Connection, place: str) -> None:
        """Listen on the host again; what does not work at once is tried until it does."""
        self.stop()
        try:
            await self.open(connection, place)
        except PerijoveError as error:
            log.warning("%s", error)
            self._retrying = asyncio.create_task(self._retry(connection, place))

    def stop(self) -> None:
        """No longer try."""
        self.ready.clear()
        if self._retrying is not None:
            self._retrying.cancel()
            self._retrying = None

    async def _retry(self, connection: Connection, place: str) -> None:
        while not connection.is_closed():
            await asyncio.sleep(AGAIN)
            with suppress(PerijoveError):
                await self.open(connection, place)
                return
