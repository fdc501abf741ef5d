"""How many nodes a cluster has: as many as its work needs, within its limits."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from distributed import Scheduler, SpecCluster

from perijove.compute.cluster.launchers import LocalNode
from perijove.compute.cluster.node import USAGE
from perijove.models.compute import ClusterDefinition, Node, NodeState, Resources

log = logging.getLogger("perijove.cluster")

PREPARE = 120.0
"""Seconds a node has to come up before it is called unusable and replaced."""
LEAVING = ("closing_gracefully", "closing", "closed")
PREFIX = "perijove-"
"""What the keys of attempts begin with, among the Dask tasks of users."""


class Room(NamedTuple):
    """What is left of a node; see `Resources`."""

    cpus: int
    memory: int | None
    gpus: int


class Scaling:
    """Brings nodes up and lets them go. A node that has work is never let go."""

    def __init__(
        self,
        cluster: SpecCluster,
        definition: ClusterDefinition,
        waiting: Callable[[], list[Resources]],
    ) -> None:
        """`waiting`: what the attempts need that no node has taken yet."""
        self._cluster = cluster
        assert cluster.scheduler is not None
        self._scheduler: Scheduler = cluster.scheduler
        self.definition = definition
        self._waiting = waiting
        self._idle_since: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._began: dict[str, float] = {}
        self._gone_seconds = 0.0
        self._taken: dict[str, tuple[str, Resources]] = {}
        self.message: str | None = None

    def room_for(self, wanted: Resources) -> Any:
        """The fullest node that has room, as Dask knows it; None: there is none."""
        best, least = None, 0
        ours = set(map(str, self._cluster.worker_spec))
        for name, worker in self._workers().items():
            if worker.status.name != "running" or name not in ours:
                continue
            left = self._free(name)
            if wanted.fits(left) and (best is None or left.cpus < least):
                best, least = worker, left.cpus
        return best

    @property
    def arriving(self) -> bool:
        """Is a node known to Dask that takes no work yet?"""
        return any(worker.status.name == "init" for worker in self._workers().values())

    def take(self, node: Any, key: str, wanted: Resources) -> None:
        """The attempt `key` is on its way to `node`."""
        self._taken[key] = (str(node.name), wanted)

    def give_back(self, key: str) -> None:
        """The attempt is over."""
        self._taken.pop(key, None)

    def _free(self, name: str) -> Room:
        node = self.definition.node
        taken = [wanted for at, wanted in self._taken.values() if at == name]
        return Room(
            node.cpus - sum(wanted.cpus for wanted in taken),
            None if node.memory is None else node.memory - sum(w.memory or 0 for w in taken),
            node.gpus - sum(wanted.gpus for wanted in taken),
        )

    async def adapt(self) -> None:
        """Look once, and act."""
        await self._replace_dead()
        target = self._target()
        have = len(self._cluster.worker_spec)
        if target > have:
            log.info("Scaling from %s to %s nodes", have, target)
            self._cluster.scale(target)
            for name in self._cluster.worker_spec:
                self._asked.setdefault(str(name), time.monotonic())
        elif target < have and (spare := self._spare(have - target)):
            log.info("Nodes %s leave", spare)
            await self._scale_down(spare)

    def _target(self) -> int:
        limits = self.definition
        # first fit, over what is free now and then over new nodes
        rooms = [self._free(str(name)) for name in self._cluster.worker_spec]
        for asked in self._waiting():
            for at, room in enumerate(rooms):
                if asked.fits(room):
                    rooms[at] = _less(room, asked)
                    break
            else:
                rooms.append(_less(Room(limits.cpus, limits.memory, limits.gpus), asked))
        full = Room(limits.cpus, limits.memory, limits.gpus)
        used = sum(room != full for room in rooms)
        users = [t for t in self._scheduler.unrunnable if not str(t.key).startswith(PREFIX)]
        own = self._scheduler.adaptive_target() if users or self._user_work() else 0
        return max(limits.min_nodes, min(limits.max_nodes, max(used, own)))

    def _user_work(self) -> bool:
        return any(
            not str(task.key).startswith(PREFIX)
            for task in self._scheduler.tasks.values()
            if task.state not in ("memory", "released", "forgotten", "erred")
        )

    def _workers(self) -> dict[str, Any]:
        return {str(worker.name): worker for worker in self._scheduler.workers.values()}

    def _spare(self, count: int) -> list[Any]:
        """Nodes that may leave: idle for long enough, holding nothing."""
        now = time.monotonic()
        workers = self._workers()
        busy = {at for at, _ in self._taken.values()}
        found = []
        for name in list(self._cluster.worker_spec):
            worker = workers.get(str(name))
            if worker is None:
                continue  # it comes because something waits
            if worker.processing or worker.has_what or str(name) in busy:
                self._idle_since.pop(str(name), None)
                continue
            since = self._idle_since.setdefault(str(name), now)
            if now - since >= self.definition.idle_seconds_before_scale_down:
                found.append(name)
        return found[:count]

    async def _scale_down(self, names: list[Any]) -> None:
        addresses = [w.address for name, w in self._workers().items() if name in map(str, names)]
        if addresses:
            # from here on Dask places nothing there; what was placed meanwhile stays
            await self._scheduler.retire_workers(workers=addresses, close_workers=False)
            names = [
                n for n in names if not getattr(self._workers().get(str(n)), "processing", None)
            ]
        for name in names:
            self._forget(str(name))
            self._cluster.worker_spec.pop(name, None)
        await self._cluster._correct_state()

    async def _replace_dead(self) -> None:
        """Forget nodes that are gone, never came, or take no work any more; new ones follow."""
        workers = self._workers()
        for name, node in list(self._cluster.workers.items()):
            asked = self._asked.setdefault(str(name), time.monotonic())
            worker = workers.get(str(name))
            if worker is not None:
                if str(name) not in self._began:
                    self._began[str(name)] = time.monotonic()
                    self.message = None
                retired = worker.status.name in LEAVING and not worker.processing
                if not retired:
                    continue
            elif isinstance(node, LocalNode) and node.ended():
                self.message = f"Node {name} ended; see the log."
            elif time.monotonic() - asked > PREPARE:
                self.message = f"Node {name} did not come up; see the log."
            else:
                continue
            log.warning("Node %s is given up (%s)", name, self.message or "it was retired")
            self._forget(str(name))
            self._cluster.worker_spec.pop(name, None)
            await self._cluster._correct_state()

    def _forget(self, name: str) -> None:
        for times in (self._idle_since, self._asked):
            times.pop(name, None)
        if (began := self._began.pop(name, None)) is not None:
            self._gone_seconds += time.monotonic() - began

    async def release_all(self) -> None:
        """End all nodes, whatever they do."""
        self._cluster.worker_spec.clear()
        await self._cluster._correct_state()

    @property
    def target(self) -> int:
        """Nodes there shall be."""
        return len(self._cluster.worker_spec)

    @property
    def node_seconds(self) -> float:
        """How long nodes have been up, summed."""
        now = time.monotonic()
        return self._gone_seconds + sum(now - began for began in self._began.values())

    def nodes(self) -> list[Node]:
        """The nodes as they are."""
        workers = self._workers()
        return [self._node(str(name), workers.get(str(name))) for name in self._cluster.worker_spec]

    def _node(self, name: str, worker: Any) -> Node:
        asked = self.definition
        node = Node(
            id=name,
            state=NodeState.PREPARING,
            cpus=asked.cpus,
            memory=asked.memory,
            gpus=asked.gpus,
        )
        if worker is None:
            return node
        jobs = [key.partition("/")[0] for key, (at, _) in self._taken.items() if at == name]
        leaving = worker.status.name in LEAVING
        node.state = (
            NodeState.LEAVING
            if leaving
            else NodeState.RUNNING
            if jobs or worker.processing
            else NodeState.IDLE
        )
        node.address, node.jobs = worker.address, jobs
        jobs_use = worker.metrics.get(USAGE) or {}
        cpu = float(worker.metrics.get("cpu", 0.0)) + jobs_use.get("cpu", 0.0)
        node.cpu_percent = round(cpu / asked.cpus, 1)
        node.memory_used = int(worker.metrics.get("memory", 0) + jobs_use.get("memory", 0))
        began = self._began.get(name)
        if began is not None:
            node.started_at = datetime.fromtimestamp(time.time() - time.monotonic() + began, UTC)
        return node


def _less(room: Room, asked: Resources) -> Room:
    memory = None if room.memory is None else room.memory - (asked.memory or 0)
    return Room(room.cpus - asked.cpus, memory, room.gpus - asked.gpus)
