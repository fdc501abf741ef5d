"""How many nodes a cluster has: as many as its work needs, within its limits."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from distributed import Scheduler, SpecCluster

from perijove.compute.cluster.launchers.base import ManagedNode
from perijove.compute.cluster.node import USAGE
from perijove.models.compute import ClusterDefinition, Node, NodeState, Resources
from perijove.models.slurm import walltime_seconds

log = logging.getLogger("perijove.cluster")

PREPARE = 120.0
"""Seconds a node has to come up before it is called unusable and replaced."""
DRAIN = 120.0
"""Seconds before its end from which a node takes no new work; a tenth of its time if it is less."""
NEW = 10.0
"""Seconds for which a node counts as new."""
BACK_OFF = 60.0
"""Seconds, at most, between a node that failed and the next one."""
LEAVING = ("closing_gracefully", "closing", "closed")
PREFIX = "perijove-"
"""What the keys of attempts begin with, among the Dask tasks of users."""


class Room(NamedTuple):
    """What is left of a node; see `Resources`."""

    cpus: int
    memory: int | None
    gpus: int


class Waiting(NamedTuple):
    """What an attempt needs that no node has taken yet. Its time limit in seconds."""

    wanted: Resources
    timeout: float | None


class Taken(NamedTuple):
    """The part of a node that an attempt has."""

    name: str
    address: str
    wanted: Resources


class Scaling:
    """Brings nodes up and lets them go. A node that has work is never let go."""

    def __init__(
        self,
        cluster: SpecCluster,
        definition: ClusterDefinition,
        waiting: Callable[[], Iterable[Waiting]],
    ) -> None:
        self._cluster = cluster
        assert cluster.scheduler is not None
        self._scheduler: Scheduler = cluster.scheduler
        self.definition = definition
        self._waiting = waiting
        self._idle_since: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._began: dict[str, float] = {}
        self._gone_seconds = 0.0
        self._taken: dict[str, Taken] = {}
        self._failures = 0
        self._not_before = 0.0
        self._unusable: list[Node] = []
        self.suspects: set[str] = set()
        """Nodes that are asked whether they still answer."""
        self.condemned: dict[str, str] = {}
        """Nodes to give up, and why."""
        self.message: str | None = None

    def room_for(self, waiting: Waiting) -> Any:
        """The fullest node that has room and time, as Dask knows it; None: there is none."""
        best, least = None, 0
        ours = set(map(str, self._cluster.worker_spec))
        for name, worker in self._workers().items():
            if worker.status.name != "running" or name not in ours or name in self.suspects:
                continue
            left = self._free(name)
            if not (waiting.wanted.fits(left) and self._has_time(name, waiting.timeout)):
                continue
            if best is None or left.cpus < least:
                best, least = worker, left.cpus
        return best

    @property
    def arriving(self) -> bool:
        """Is a node known to Dask that takes no work yet?"""
        return any(worker.status.name == "init" for worker in self._workers().values())

    def take(self, node: Any, key: str, wanted: Resources) -> None:
        """The attempt `key` is on its way to `node`."""
        self._taken[key] = Taken(str(node.name), node.address, wanted)

    def give_back(self, key: str) -> None:
        """The attempt is over."""
        self._taken.pop(key, None)

    def taken(self) -> list[tuple[str, tuple[str, str]]]:
        """(attempt, (name and address of the node that has it))."""
        return [(key, (taken.name, taken.address)) for key, taken in self._taken.items()]

    def _has_time(self, name: str, timeout: float | None) -> bool:
        """Will the node be there for so long? Without a time limit: is it far from its end?"""
        left = self._remaining(name)
        if left is None:
            return True
        # another one in place of a new one would be no better
        new = time.monotonic() - self._began.get(name, time.monotonic()) < NEW
        return left > (self._drain() if new else max(self._drain(), timeout or 0.0))

    def _remaining(self, name: str) -> float | None:
        for at, node in self._cluster.workers.items():
            if str(at) == name and isinstance(node, ManagedNode):
                return node.remaining()
        return None

    def _drain(self) -> float:
        whole = self.definition.walltime
        return DRAIN if whole is None else min(DRAIN, walltime_seconds(whole) / 10)

    def _free(self, name: str) -> Room:
        node = self.definition.node
        taken = [taken.wanted for taken in self._taken.values() if taken.name == name]
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
        if target > have and time.monotonic() >= self._not_before:
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
        names = [str(name) for name in self._cluster.worker_spec]
        rooms = [self._free(name) for name in names]
        for asked, timeout in self._waiting():
            for at, room in enumerate(rooms):
                if asked.fits(room) and (at >= len(names) or self._has_time(names[at], timeout)):
                    rooms[at] = _less(room, asked)
                    break
            else:
                rooms.append(_less(Room(limits.cpus, limits.memory, limits.gpus), asked))
        full = Room(limits.cpus, limits.memory, limits.gpus)
        used = sum(room != full for room in rooms)
        # a node whose CPUs attempts have does nothing else: users' work needs others
        own = self._nodes_of_users()
        wanted = own + sum(room.cpus <= 0 for room in rooms) if own else used
        return max(limits.min_nodes, min(limits.max_nodes, max(used, wanted)))

    def _nodes_of_users(self) -> int:
        """How many nodes users' own Dask work is worth."""
        tasks = sum(
            not str(task.key).startswith(PREFIX)
            for task in self._scheduler.tasks.values()
            if task.state not in ("memory", "released", "forgotten", "erred")
        )
        # Dask counts attempts as well
        return tasks and min(self._scheduler.adaptive_target(), -(-tasks // self.definition.cpus))

    def _workers(self) -> dict[str, Any]:
        return {str(worker.name): worker for worker in self._scheduler.workers.values()}

    def _spare(self, count: int) -> list[Any]:
        """Nodes that may leave: idle for long enough, holding nothing."""
        now = time.monotonic()
        workers = self._workers()
        busy = {taken.name for taken in self._taken.values()}
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
        for at, node in list(self._cluster.workers.items()):
            name = str(at)
            worker = workers.get(name)
            if name in self.condemned:
                await self._give_up(name, self.condemned.pop(name))
                continue
            if worker is not None:
                self._came(name)
                if worker.status.name in LEAVING and not worker.processing:
                    await self._give_up(name, None)
                elif self._is_worn(name, worker):
                    log.info("Node %s is near its end and leaves", name)
                    await self._scale_down([at])
                continue
            why = node.ended()
            if name in self._began:  # a worker does not come back
                await self._give_up(name, why or "it died")
            elif why is not None:
                await self._give_up(name, why)
            elif node.waits() is not None:
                self._asked[name] = time.monotonic()
            elif time.monotonic() - self._asked.setdefault(name, time.monotonic()) > PREPARE:
                await self._give_up(name, "it did not come up; see the log")

    def _came(self, name: str) -> None:
        if name not in self._began:
            self._began[name] = time.monotonic()
            self.message, self._failures, self._not_before = None, 0, 0.0
            self._unusable.clear()

    def _is_worn(self, name: str, worker: Any) -> bool:
        """Has it nothing to do, and too little time left for what is or may be wanted?"""
        if worker.processing or worker.has_what or name in {t.name for t in self._taken.values()}:
            return False
        limits = [timeout for _, timeout in self._waiting()]
        return not all(self._has_time(name, timeout) for timeout in [None, *limits])

    def doubt(self, name: str, doubted: bool) -> None:
        """A node was told something and has not answered yet; or it has."""
        (self.suspects.add if doubted else self.suspects.discard)(name)

    async def give_up(self, name: str, why: str | None) -> None:
        """A node does not do as it is told: it goes at the next look."""
        self.condemned[name] = why or "it does not answer"

    async def _give_up(self, name: str, why: str | None) -> None:
        """Let a node go at once, whatever it does. `why`: it failed."""
        if why is not None:
            self.message = f"Node {name}: {why}."
            log.warning("%s", self.message)
            if name not in self._began:  # one that never came: the next might not either
                self._failures += 1
                delay = min(BACK_OFF, 2.0 ** min(self._failures, 10) - 1)
                self._not_before = time.monotonic() + delay
                self._unusable = [*self._unusable[-4:], self._failed(name, why)]
        self._forget(name)
        if (worker := self._workers().get(name)) is not None and why is not None:
            # Dask would go on to wait for one that does not answer
            reason = f"perijove-{time.monotonic()}"
            await self._scheduler.remove_worker(worker.address, stimulus_id=reason)
        for at in [at for at in self._cluster.worker_spec if str(at) == name]:
            self._cluster.worker_spec.pop(at)
        await self._cluster._correct_state()

    def _failed(self, name: str, why: str) -> Node:
        node = self._node(name, None)
        node.state, node.message = NodeState.UNUSABLE, why
        return node

    def _forget(self, name: str) -> None:
        self.suspects.discard(name)
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
        up = [self._node(str(name), workers.get(str(name))) for name in self._cluster.worker_spec]
        return up + self._unusable

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
            known = {str(at): made for at, made in self._cluster.workers.items()}.get(name)
            node.message = None if known is None else known.waits()
            return node
        jobs = [key.partition("/")[0] for key, taken in self._taken.items() if taken.name == name]
        leaving = worker.status.name in LEAVING or not self._has_time(name, None)
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
