"""Nodes on other machines, which are reached over SSH: at most one on each host."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from perijove.compute.cluster.host import address_towards
from perijove.compute.cluster.hosts import ClusterHost, addresses
from perijove.compute.cluster.launchers.base import Launcher, ManagedNode
from perijove.compute.cluster.node import GPUS, PRELOAD
from perijove.compute.cluster.protocol import LEFT, NODES
from perijove.errors import PerijoveError
from perijove.models.agents import GateAddress
from perijove.models.compute import ClusterDefinition

log = logging.getLogger("perijove.cluster")

AVOID = 60.0
"""Seconds for which a host that failed is tried last."""
LEAVE = 30.0
"""Seconds that nodes have to end when the cluster does."""
DEATH_TIMEOUT = 60
"""Seconds until a worker that does not find its scheduler ends."""


class SshNode(ManagedNode):
    """A node on a host."""

    launcher: SshLauncher

    def __init__(self, scheduler: str, name: str, launcher: SshLauncher) -> None:
        super().__init__(scheduler, name, launcher)
        self.unique = f"{launcher.definition.name}-{self.id}-{token_hex(4)}"
        self.host: ClusterHost | None = None
        self._why: str | None = None
        self._step: str | None = "a host is chosen"
        self._coming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await super().start()
        self.launcher.add(self)
        self._coming = asyncio.create_task(self._come())

    async def close(self) -> None:
        self.launcher.release(self)
        await super().close()

    def ended(self) -> str | None:
        return self._why

    def waits(self) -> str | None:
        return self._step

    async def _come(self) -> None:
        try:
            gate = await self.launcher.gate_path()
            self.host = host = await self.launcher.choose(self.unique)
            self._say(f"{host} is prepared")
            await host.ready(gate, self._say)
            asked = self.launcher.definition
            environ = {PRELOAD: os.environ[PRELOAD]} if PRELOAD in os.environ else {}
            if asked.gpus:
                environ[GPUS] = str(asked.gpus)
            arguments = [
                *(self.scheduler, "--name", self.id),
                *("--nworkers", "1", "--nthreads", str(asked.cpus)),
                *("--memory-limit", str(asked.memory or 0)),
                *("--death-timeout", str(DEATH_TIMEOUT)),
            ]
            await host.start(self.unique, arguments, environ)
            host.trouble, self._step = None, None
        except (PerijoveError, OSError) as error:
            self._why = _said(error)
            if self.host is not None:
                self.host.failed(self._why, AVOID)

    def _say(self, step: str) -> None:
        self._step = step
        log.info("Node %s: %s", self.id, step)

    async def leave(self) -> None:
        """End it there, with everything that it has started; nothing of it must be left."""
        if self._coming is not None:
            self._coming.cancel()
            await asyncio.gather(self._coming, return_exceptions=True)
        host = self.host
        if host is None:
            return
        try:
            await host.end(self.launcher.folder / NODES / f"{self.unique}{LEFT}")
        except (PerijoveError, OSError) as error:
            log.warning("Node %s could not be ended: %s", self.id, error)
            host.failed(_said(error), AVOID)
        host.node = None


class SshLauncher(Launcher):
    """See `Launcher`."""

    node = SshNode

    def __init__(self, folder: Path, definition: ClusterDefinition) -> None:
        super().__init__(folder, definition)
        self.hosts = [
            ClusterHost(folder, number, address)
            for number, address in enumerate(addresses(definition))
        ]
        self._nodes: dict[str, SshNode] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._gate: Path | None = None
        self._known = asyncio.Event()

    @property
    def message(self) -> str | None:
        return "; ".join(host.trouble for host in self.hosts if host.trouble) or None

    async def open(self) -> str:
        for record in (self.folder / NODES).glob(f"*{LEFT}"):
            self._spawn(self._end_left(record))
        for host in self.hosts:
            # a name that only ssh knows is no way
            with suppress(OSError):
                there = f"tls://{_bracketed(host.address.host)}:{host.address.port or 22}"
                return await asyncio.to_thread(address_towards, there)
        raise SystemExit(
            "No host's name is known to the network: nodes must reach the scheduler there."
        )

    async def _end_left(self, record: Path) -> None:
        """End a node of a process that was killed; its host takes no other one meanwhile."""
        with suppress(OSError, ValueError, KeyError, IndexError):
            host = self.hosts[json.loads(record.read_text())["host"]]
            host.node = record.stem
            try:
                await host.end(record)
            except PerijoveError as error:
                host.failed(_said(error), AVOID)
            host.node = None

    async def close(self) -> None:
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=LEAVE)
        for host in self.hosts:
            await host.close()

    def gate(self, name: str) -> GateAddress | None:
        node = self._nodes.get(name)
        port = node.host.port if node is not None and node.host is not None else None
        return GateAddress(url=f"http://127.0.0.1:{port or 9}")

    def hub_is(self, gate: GateAddress) -> None:
        if gate.socket is not None:
            self._gate = Path(gate.socket)
            self._known.set()

    async def gate_path(self) -> Path:
        """The Unix socket of the hub's gate; it is known as soon as a hub has called."""
        await self._known.wait()
        assert self._gate is not None
        return self._gate

    async def choose(self, node: str) -> ClusterHost:
        """Wait for a host without a node, the ones that work first; it is the node's then."""
        while not (free := [host for host in self.hosts if host.node is None]):
            await asyncio.sleep(0.2)  # one is about to leave
        now = time.monotonic()
        chosen = min(free, key=lambda host: (max(0.0, host.not_before - now), host.number))
        chosen.node = node
        return chosen

    def add(self, node: SshNode) -> None:
        """A node comes."""
        self._nodes[node.id] = node

    def release(self, node: SshNode) -> None:
        """It is not wanted any more."""
        self._nodes.pop(node.id, None)
        self._spawn(node.leave())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


def _said(error: PerijoveError | OSError) -> str:
    text = error.message if isinstance(error, PerijoveError) else str(error)
    return text.rstrip(".")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
