"""The workers of a scheduler that somebody else runs, as nodes."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from perijove.compute.cluster.node import USAGE
from perijove.compute.cluster.scaling import LEAVING, Room, Taken, Waiting
from perijove.errors import PerijoveError
from perijove.models.compute import Node, NodeState, Resources

log = logging.getLogger("perijove.cluster")


@dataclass
class Guest:
    """A worker of the scheduler, as it was last heard of."""

    address: str
    seen: dict[str, Any]
    shared: bool = False
    socket: bool = False
    """Does it reach the hub's Unix socket?"""
    trouble: PerijoveError | None = None
    warning: str | None = None
    began: float = field(default_factory=time.time)

    @property
    def name(self) -> str:
        return str(self.seen["name"])

    @property
    def size(self) -> Room:
        """What it has."""
        gpus = int(self.seen.get("resources", {}).get("GPU", 0))
        return Room(int(self.seen["nthreads"]), self.seen["memory_limit"] or None, gpus)


class Guests:
    """The scheduler's workers. See `Pool`."""

    def __init__(self) -> None:
        self.all: dict[str, Guest] = {}
        self._taken: dict[str, Taken] = {}

    def room_for(self, waiting: Waiting) -> Guest | None:
        """The fullest worker that has room."""
        found = [
            guest
            for guest in self.all.values()
            if guest.trouble is None
            and guest.seen.get("status", "running") == "running"
            and waiting.wanted.fits(self._free(guest))
        ]
        return min(found, key=lambda guest: self._free(guest).cpus, default=None)

    def take(self, node: Guest, key: str, wanted: Resources) -> None:
        """The attempt `key` is on its way to `node`."""
        self._taken[key] = Taken(node.name, node.address, wanted)

    def give_back(self, key: str) -> None:
        """The attempt is over."""
        self._taken.pop(key, None)

    def taken(self) -> list[tuple[str, tuple[str, str]]]:
        """(attempt, (name and address of the worker that has it))."""
        return [(key, (taken.name, taken.address)) for key, taken in self._taken.items()]

    def doubt(self, name: str, doubted: bool) -> None:
        """Nothing comes of it here: the scheduler says which workers there are."""

    async def give_up(self, name: str, why: str | None) -> None:
        """It is not ours to end; it may be well again."""
        log.warning("Worker %s: %s", name, why)

    def _free(self, guest: Guest) -> Room:
        taken = [t.wanted for t in self._taken.values() if t.address == guest.address]
        size = guest.size
        return Room(
            size.cpus - sum(wanted.cpus for wanted in taken),
            None if size.memory is None else size.memory - sum(w.memory or 0 for w in taken),
            size.gpus - sum(wanted.gpus for wanted in taken),
        )

    def nodes(self) -> list[Node]:
        """The workers as they are."""
        return [self._node(guest) for guest in self.all.values()]

    def _node(self, guest: Guest) -> Node:
        size, metrics = guest.size, guest.seen.get("metrics") or {}
        jobs = [k.partition("/")[0] for k, t in self._taken.items() if t.address == guest.address]
        busy = jobs or (metrics.get("task_counts") or {}).get("executing")
        state = NodeState.RUNNING if busy else NodeState.IDLE
        if guest.seen.get("status") in LEAVING:
            state = NodeState.LEAVING
        if guest.trouble is not None:
            state = NodeState.UNUSABLE
        use = metrics.get(USAGE) or {}
        cpu = float(metrics.get("cpu", 0.0)) + use.get("cpu", 0.0)
        return Node(
            id=guest.name,
            state=state,
            address=guest.address,
            cpus=size.cpus,
            memory=size.memory,
            gpus=size.gpus,
            cpu_percent=round(cpu / max(1, size.cpus), 1),
            memory_used=int(metrics.get("memory", 0) + use.get("memory", 0)),
            jobs=jobs,
            started_at=datetime.fromtimestamp(guest.began, UTC),
            message=guest.trouble.message if guest.trouble else guest.warning,
        )
