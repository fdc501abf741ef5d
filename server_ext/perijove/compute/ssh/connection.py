"""One connection to a host, kept for as long as it is wanted."""

from __future__ import annotations

import asyncio
import logging
import random
import shlex
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import asyncssh

from perijove.compute.relay import LOOPBACK, Reader, Relay, Writer
from perijove.compute.ssh import scripts
from perijove.compute.ssh.explain import explain
from perijove.compute.ssh.facts import Completed, facts_of
from perijove.compute.ssh.hostkeys import connect
from perijove.compute.ssh.tunnels import WayBack
from perijove.errors import InvalidInput, NotFound, PerijoveError, Unreachable
from perijove.models.ssh import HostFacts, SshAddress
from perijove.writing import replace_file

if TYPE_CHECKING:
    from perijove.compute.ssh.files import Files

log = logging.getLogger(__name__)

FIRST, MOST = 0.5, 15.0
"""Seconds before the first and between later tries to connect again."""
SESSIONS = 6
"""Programs that run through one connection at once; sshd's own limit is 10, SFTP among them."""
TRIES, PAUSE = 20, 0.1
"""How often a program is started again, after how many seconds, when sshd is at its limit."""
PREDECESSOR = "sshd.json"
"""Which process of sshd served the last connection: it may hold ports after a cut."""


class SshHost:
    """A host that is reached again whenever the way to it was cut.

    Methods raise `Unreachable` at once while the host is away; await ``up.wait()`` before.

    Parameters
    ----------
    address: where it is, with its host key pinned.
    folder: the host's own folder on this machine, private, for what is kept between two hubs.
    """

    def __init__(self, address: SshAddress, folder: Path) -> None:
        self.address = address
        self.up = asyncio.Event()
        self.error: PerijoveError | None = None
        self._folder = folder
        self._connection: asyncssh.SSHClientConnection | None = None
        self._sftp: asyncssh.SFTPClient | None = None
        self._sftp_lock = asyncio.Lock()
        self._sessions = asyncio.Semaphore(SESSIONS)
        self._keeper: asyncio.Task[None] | None = None
        self._again = asyncio.Event()
        self._on_up: list[Callable[[], object]] = []
        self._on_down: list[Callable[[], object]] = []
        self._relays: list[Relay] = []
        self._ways_back: list[WayBack] = []

    def __str__(self) -> str:
        return str(self.address)

    async def __aenter__(self) -> SshHost:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def on_up(self, call: Callable[[], object]) -> None:
        """Call it whenever the host is reached, the first time too."""
        self._on_up.append(call)

    def on_down(self, call: Callable[[], object]) -> None:
        """Call it whenever the way to the host was cut."""
        self._on_down.append(call)

    async def open(self) -> None:
        """Connect, and stay connected from then on.

        Raises
        ------
        Unreachable, Conflict, InvalidInput: why it does not work; nothing is kept then.
        """
        if self._keeper is None:
            await self._connect()
            self.keep()

    def keep(self) -> None:
        """Connect when it is possible, and stay connected; returns at once."""
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())

    def retry(self) -> None:
        """Do not wait for the next try to connect."""
        self._again.set()

    async def close(self) -> None:
        """Let go of the host. What was started there goes on."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        for relay in self._relays:
            await relay.close()
        for way in self._ways_back:
            way.stop()
        self._relays, self._ways_back = [], []
        if self._connection is not None:
            self._connection.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._connection.wait_closed(), 2)
            self._connection.abort()
        self._down()

    def files(self) -> Files:
        """Its files."""
        from perijove.compute.ssh.files import Files  # which imports this module

        return Files(self)

    # -- programs

    async def facts(self) -> HostFacts:
        """What the machine says of itself, in one round trip."""
        return facts_of(str(self), await self.run(scripts.SHELL, input=scripts.FACTS))

    async def run(
        self,
        argv: Sequence[str],
        *,
        input: str | bytes | IO[bytes] | None = None,
        timeout: float = 60.0,
    ) -> Completed:
        """Run a program on the host and wait for its end.

        Raises
        ------
        Unreachable: the way was cut meanwhile (whether the program ended is not known then), or
            `timeout` seconds have passed (it was told to stop).
        """
        async with self._sessions, self.through() as connection:
            feed = input.encode() if isinstance(input, str) else input
            process = await _start(
                connection,
                shlex.join(argv),
                asyncssh.PIPE if feed is None or isinstance(feed, bytes) else feed,
            )
            try:
                out, err = await asyncio.wait_for(
                    process.communicate(feed if isinstance(feed, bytes) else None), timeout
                )
                await process.wait_closed()
            except TimeoutError:
                raise Unreachable(
                    f"{argv[0]} on {self} has not ended within {timeout:.0f} s.", field="host"
                ) from None
            finally:
                if process.exit_status is None and not process.is_closing():
                    with suppress(OSError):
                        process.kill()
                process.close()
        if process.returncode is None:
            raise Unreachable(
                f"The way to {self} was cut while {argv[0]} was running there.", field="host"
            )
        return Completed(process.returncode, _text(out), _text(err))

    async def start_detached(
        self, argv: Sequence[str], environ: Mapping[str, str], log_path: str, cwd: str
    ) -> int:
        """Start a program in a session of its own, which no end of a connection touches.

        What it says is appended to `log_path`, a file for its owner only. Its pid.

        Raises
        ------
        NotFound: there is no such program, or no such folder.
        Unreachable: as `run`.
        """
        script = scripts.detached(argv, environ, log_path, cwd)
        done = await self.run(scripts.SHELL, input=script)
        said = scripts.answers(done.out)
        if done.code == 0 and said.get("pid", "").isdigit():
            return int(said["pid"])
        missing = {
            scripts.NO_FOLDER: f"There is no folder {cwd} on {self}.",
            scripts.NO_PROGRAM: f"There is no program {argv[0]} on {self}.",
            scripts.NO_LOG: f"{log_path} cannot be written on {self}.",
        }
        detail = done.err.strip()[:300]
        raise NotFound(missing.get(done.code, f"{argv[0]} was not started on {self}: {detail}"))

    # -- tunnels

    async def forward_back(self, to_unix_path: Path, port: int | None = None) -> int:
        """A port of the host's loopback address that leads to a Unix socket here.

        After every reconnect it is the same port again.

        Raises
        ------
        Conflict: the port is taken there, or its sshd forwards none.
        """
        way = WayBack(to_unix_path, port)
        async with self.through() as connection:
            found = await way.open(connection, str(self))
        self._ways_back.append(way)
        return found

    async def forward_port(self, remote_port: int, local_port: int | None = None) -> int:
        """A port of this machine's loopback address that leads to one of the host's.

        It stays while the host is away, so nobody else gets it; clients are turned away meanwhile.

        Raises
        ------
        Conflict: the port is taken here.
        """

        async def connect_there() -> tuple[Reader, Writer]:
            async with self.through() as connection:
                return await connection.open_connection(LOOPBACK, remote_port)

        relay = Relay(connect_there)
        found = await relay.listen_port(local_port)
        self._relays.append(relay)
        return found

    async def forward_path(self, remote_path: str, local_path: Path) -> None:
        """A Unix socket here that leads to one on the host."""

        async def connect_there() -> tuple[Reader, Writer]:
            async with self.through() as connection:
                return await connection.open_unix_connection(remote_path)

        relay = Relay(connect_there)
        await relay.listen_path(local_path)
        self._relays.append(relay)

    # -- the connection itself

    @asynccontextmanager
    async def through(self) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """The connection; what goes wrong with it inside is said in our words.

        Raises
        ------
        Unreachable: the host is away, or goes away meanwhile.
        """
        connection = self._connection
        if connection is None:
            why = f" {self.error.message}" if self.error is not None else ""
            raise Unreachable(f"{self} is not connected.{why}", field="host")
        try:
            yield connection
        except asyncssh.ChannelOpenError as error:
            raise Unreachable(f"{self} opens no channel: {error.reason}.", field="host") from error
        except (asyncssh.DisconnectError, ConnectionError) as error:
            raise Unreachable(f"The way to {self} was cut.", field="host") from error

    async def sftp(self) -> asyncssh.SFTPClient:
        """The SFTP client of the connection, started when it is first needed.

        Raises
        ------
        InvalidInput: the host offers no SFTP.
        Unreachable: the host is away.
        """
        async with self._sftp_lock, self.through() as connection:
            if self._sftp is None:
                try:
                    self._sftp = await connection.start_sftp_client()
                except (asyncssh.ChannelOpenError, asyncssh.SFTPError) as error:
                    if connection.is_closed():
                        raise
                    raise InvalidInput(
                        f"{self} offers no SFTP.",
                        field="host",
                        remedy="Add 'Subsystem sftp internal-sftp' to its sshd_config.",
                    ) from error
            return self._sftp

    async def _connect(self) -> None:
        try:
            connection = await connect(self.address)
        except PerijoveError as error:
            self.error = error
            raise
        except (OSError, ValueError, asyncssh.Error) as error:
            self.error = explain(error, self.address)
            raise self.error from error
        self._connection, self._sftp, self.error = connection, None, None
        try:
            await self._succeed()
            for way in self._ways_back:
                await way.reopen(connection, str(self))
        except PerijoveError as error:  # gone again already
            self.error = error
            connection.abort()
            self._connection = None
            raise
        self.up.set()
        _tell(self._on_up)

    async def _keep(self) -> None:
        pause = FIRST
        while True:
            if self._connection is not None:
                await self._connection.wait_closed()
                self._down()
            try:
                await self._connect()
                pause = FIRST
            except PerijoveError as error:
                log.info("%s", error)
                self._again.clear()
                # not wait_for: in Python 3.11 that loses a cancellation that comes with the event
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause * random.uniform(0.8, 1.2)):
                        await self._again.wait()
                pause = min(pause * 2, MOST)

    def _down(self) -> None:
        self._connection = self._sftp = None
        for way in self._ways_back:
            way.stop()
        if self.up.is_set():
            self.up.clear()
            _tell(self._on_down)

    async def _succeed(self) -> None:
        """End what is left of the connection before on the host's side.

        After a cut its sshd may wait for us for hours, and hold the ports that we want again.
        """
        note = self._folder / PREDECESSOR
        before = note.read_text().split() if note.exists() else []
        done = await self.run([*scripts.SHELL, *before], input=scripts.SUCCEED)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(note, scripts.answers(done.out).get("sshd", ""))


def _tell(calls: Sequence[Callable[[], object]]) -> None:
    for call in calls:
        try:
            call()
        except Exception:  # the connection is kept all the same
            log.exception("Somebody who was told about a host failed")


async def _start(
    connection: asyncssh.SSHClientConnection, command: str, stdin: int | IO[bytes]
) -> asyncssh.SSHClientProcess[bytes]:
    for left in reversed(range(TRIES)):
        try:
            return await connection.create_process(
                command, encoding=None, request_pty=False, stdin=stdin
            )
        except asyncssh.ChannelOpenError:
            # sshd still counts programs that have just ended
            if not left or connection.is_closed():
                raise
            await asyncio.sleep(PAUSE)
    raise AssertionError


def _text(output: bytes | str | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""
