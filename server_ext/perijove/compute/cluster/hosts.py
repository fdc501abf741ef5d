"""The hosts of a cluster over SSH: what is started there, and how it is ended."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from perijove.compute.cluster.protocol import HOST_LOG, LEFT, NODES, TLS, mark
from perijove.compute.cluster.tls import CERTIFICATE, KEY
from perijove.compute.ssh.connection import SshHost
from perijove.compute.ssh.hostkeys import connect
from perijove.compute.ssh.prepare import prepare
from perijove.errors import NotFound, PerijoveError, Unreachable
from perijove.models.compute import ClusterDefinition
from perijove.models.problems import validated
from perijove.models.ssh import HostFacts, NodeInstall, SshAddress

log = logging.getLogger("perijove.cluster")

END = 40.0
"""Seconds a host has to end what runs there."""
MODULE = "perijove.compute.cluster.host"
FIELDS = {"host": "hosts", "host_key": "host_keys"}
"""What a cluster calls the fields of an address."""


def addresses(definition: ClusterDefinition) -> list[SshAddress]:
    """The hosts, each with its key pinned.

    Raises
    ------
    InvalidInput: one of them is no address, or its key is no key.
    """
    return [
        validated(
            SshAddress,
            {
                "host": host,
                "host_key": key,
                "identity_file": definition.identity_file,
                "proxy_jump": definition.proxy_jump,
            },
        )
        for host, key in zip(definition.hosts, definition.host_keys, strict=True)
    ]


async def must_let_in(definition: ClusterDefinition) -> None:
    """Log in to every host, and out again.

    Raises
    ------
    InvalidInput, Conflict: one does not let the hub in, or is not who it was.
    Unreachable: none is there. Those that are away while others are there do not matter.
    """
    found = await asyncio.gather(*map(_refusal, addresses(definition)))
    refusals = [error for error in found if error is not None]
    grave = [error for error in refusals if not isinstance(error, Unreachable)]
    if grave or len(refusals) == len(found):
        error = (grave or refusals)[0]
        error.field = FIELDS.get(error.field or "", error.field)
        raise error


async def _refusal(address: SshAddress) -> PerijoveError | None:
    try:
        (await connect(address)).close()
    except PerijoveError as error:
        return error
    return None


class ClusterHost:
    """One host of a cluster, with at most one node on it."""

    def __init__(self, folder: Path, number: int, address: SshAddress) -> None:
        """`folder`: the cluster's own, on this machine."""
        self.number = number
        self.address = address
        self.node: str | None = None
        self.trouble: str | None = None
        self.not_before = 0.0
        """Until then (`time.monotonic`) others are better."""
        self.port: int | None = None
        """Of its loopback address; it leads to the hub's gate."""
        self._cluster = folder
        self._folder = folder / "hosts" / str(number)
        self._ssh = SshHost(address, self._folder / "ssh")
        self._install: NodeInstall | None = None
        self._facts: HostFacts | None = None

    def failed(self, why: str, seconds: float) -> None:
        """Try it last for so long."""
        self.trouble, self.not_before = why, time.monotonic() + seconds

    def __str__(self) -> str:
        return str(self.address)

    async def ready(self, gate: Path, say: Callable[[str], None]) -> None:
        """Be connected, with our package there and a way back to the hub.

        Raises
        ------
        PerijoveError: what of it does not work.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        await self._connect()
        if self._install is None:
            self._facts = await self._ssh.facts()
            self._install = await prepare(self._ssh, say)
        if self.port is None:
            self.port = await self._ssh.forward_back(gate)

    async def _connect(self) -> None:
        await self._ssh.open()
        if not self._ssh.up.is_set():
            self._ssh.retry()
            raise self._ssh.error or Unreachable(f"{self} cannot be reached.", field="hosts")

    async def start(self, node: str, arguments: list[str], environ: dict[str, str]) -> None:
        """Start a node's first process there, with the cluster's certificate."""
        assert self._install is not None
        assert self._facts is not None
        folder = PurePosixPath(self._install.home) / "nodes" / node
        record = self._cluster / NODES / f"{node}{LEFT}"
        record.parent.mkdir(exist_ok=True)
        record.write_text(
            json.dumps({"host": self.number, "folder": str(folder), "python": self._install.python})
        )
        await self._ssh.run(["mkdir", "-p", "-m", "700", str(folder)])
        files = self._ssh.files()
        for name in (CERTIFICATE, KEY):
            await files.put_file(self._cluster / TLS / name, str(folder / name), 0o600)
        name, _, value = mark(str(folder)).partition("=")
        argv = [
            *(self._install.python, "-m", MODULE, *arguments),
            *("--tls-ca-file", str(folder / CERTIFICATE)),
            *("--tls-cert", str(folder / CERTIFICATE), "--tls-key", str(folder / KEY)),
            *("--local-directory", str(folder / "dask")),
        ]
        log_path = str(folder / HOST_LOG)
        try:
            environ = environ | {name: value}
            await self._ssh.start_detached(argv, environ, log_path, self._facts.home)
        except NotFound:  # somebody has removed it: it is prepared again
            self._install = None
            raise

    async def end(self, record: Path) -> None:
        """End a node, with everything that was started by it, and remove what it has there.

        Raises
        ------
        Unreachable: the host is away; the record stays.
        """
        try:
            known = json.loads(record.read_text())
        except (OSError, ValueError):
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        await self._connect()
        with suppress(PerijoveError):
            said = await self._ssh.run(["tail", "-c", "4000", f"{known['folder']}/{HOST_LOG}"])
            log.info("Node %s on %s had said:\n%s", record.stem, self, said.out.strip())
        done = await self._ssh.run(
            [known["python"], "-m", MODULE, "--end", known["folder"]], timeout=END
        )
        if done.code:
            raise Unreachable(f"{self} did not end its node: {done.err.strip()[-300:]}")
        record.unlink(missing_ok=True)

    async def close(self) -> None:
        """Let go of the host."""
        await self._ssh.close()


async def end_left(folder: Path, definition: ClusterDefinition) -> None:
    """End the nodes of a cluster's process that was killed, as far as hosts can be reached."""
    records = list((folder / NODES).glob(f"*{LEFT}"))
    hosts = addresses(definition) if records else []
    for record in records:
        with suppress(OSError, ValueError, PerijoveError, KeyError, IndexError):
            number = json.loads(record.read_text())["host"]
            host = ClusterHost(folder, number, hosts[number])
            try:
                await host.end(record)
            finally:
                await host.close()
