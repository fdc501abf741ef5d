"""The way from a host back to here; it outlives the connection that it goes through."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

import asyncssh

from perijove.compute.relay import LOOPBACK
from perijove.compute.ssh.explain import explain
from perijove.errors import Conflict, PerijoveError

log = logging.getLogger(__name__)

AGAIN, TRIES = 0.25, 8
"""Seconds between two tries for a port on the host, and how many are made while somebody waits."""

Connection = asyncssh.SSHClientConnection


class WayBack:
    """A port on the host, whose clients reach a Unix socket here. After every reconnect the same
    port is asked for again."""

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
