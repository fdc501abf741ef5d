"""What the process of a cluster does for its hub: takes attempts, places them, says how they end.

An attempt is a Dask task, pinned to a node that has room for it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from distributed import Client, Future
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from perijove.background import Tasks
from perijove.compute.cluster.carrier import carry_attempt, end_carried
from perijove.compute.cluster.node import (
    FolderMissing,
    beside_users,
    end_attempt_here,
    run_attempt,
)
from perijove.compute.cluster.protocol import CARRIED, PLACED, PROCESS, SOCKET, ProcessFile
from perijove.compute.cluster.scaling import PREFIX, Waiting
from perijove.models.agents import AttemptOrder, GateAddress
from perijove.models.attempts import LOCK, RunnerProcess
from perijove.models.compute import ClusterState, Node, Resources
from perijove.models.processes import current_process
from perijove.writing import replace_file

log = logging.getLogger("perijove.cluster")

LOOK = 0.5
"""Seconds between two looks at what there is to do."""
REACH = 10.0
"""Seconds a node has to do as it is told."""
TELL = 2.0
"""Seconds between two tellings of figures that always change."""
FIGURES = {"cpu_percent", "memory_used", "started_at"}


class Pool(Protocol):
    """The nodes, and what each of them has to do. See `Scaling`."""

    def room_for(self, waiting: Waiting) -> Any: ...
    def take(self, node: Any, key: str, wanted: Resources) -> None: ...
    def give_back(self, key: str) -> None: ...
    def taken(self) -> list[tuple[str, tuple[str, str]]]: ...
    def doubt(self, name: str, doubted: bool) -> None: ...
    async def give_up(self, name: str, why: str | None) -> None: ...
    def nodes(self) -> list[Node]: ...


class AttemptProcess(ABC):
    """See the module's docstring."""

    _pool: Pool
    _client: Client | None = None
    owns_nodes = True
    """Are there no rules but ours for who has room on its nodes?"""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._attempts: dict[str, Future] = {}
        self._asked: dict[str, dict[str, Any]] = {}
        self._queue: dict[str, Waiting] = {}
        self._lost: dict[str, str] = {}
        self._ended: dict[str, tuple[str | None, bool]] = {}
        self._gate: GateAddress | None = None
        self._network_gate: GateAddress | None = None
        self._hub: asyncio.StreamWriter | None = None
        self._told = ""
        self._told_at = 0.0
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tasks = Tasks("the cluster", log)
        self.spawn = self._tasks.spawn

    @abstractmethod
    async def look(self) -> float:
        """See what has changed, and act; seconds until the next look."""

    @abstractmethod
    def state(self) -> ClusterState:
        """What everybody may know."""

    @property
    def ready(self) -> bool:
        """Is anything known yet?"""
        return True

    @abstractmethod
    def define(self, definition: dict[str, Any]) -> None:
        """It has other limits now."""

    def gate_of(self, node: Any) -> GateAddress | None:
        """How a node reaches the hub that does not share this machine's disk; None: it does."""
        return None

    async def serve(self) -> None:
        """Do as the hub says, until it says stop."""
        path = self._folder / SOCKET
        path.unlink(missing_ok=True)
        before = os.umask(0o077)
        try:
            server = await asyncio.start_unix_server(self._answer, _short(path), limit=1 << 22)
        finally:
            os.umask(before)
        me = ProcessFile(process=RunnerProcess.model_validate(current_process().model_dump()))
        replace_file(self._folder / PROCESS, me.model_dump_json())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop)
        async with server:
            while not self._stopping.is_set():
                pause = await self.look()
                self._place()
                self._tell_state()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
                self._wake.clear()

    def _stop(self) -> None:
        self._stopping.set()
        self._wake.set()

    # the hub

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._hub, self._told = writer, ""
        for key, (why, gone) in self._ended.items():
            self.say({"ended": key, "lost": why, "gone": gone})
        self._tell_state()
        try:
            while line := await reader.readline():
                self._heard(json.loads(line))
        except (OSError, ValueError) as error:
            log.warning("The hub's connection ended: %s", error)
        finally:
            if self._hub is writer:
                self._hub = None
            writer.close()

    def _heard(self, message: dict[str, Any]) -> None:
        if "launch" in message:
            self._launch(message)
        elif "withdraw" in message:
            self._withdraw(message["withdraw"])
        elif "end" in message:
            self._end_runner(message["end"], message["force"])
        elif "define" in message:
            self.define(message["define"])
        elif "gate" in message:
            self._gate = _address(message["gate"])
            self._network_gate = _address(message["network_gate"])
        elif "stop" in message:
            self._stop()
        self._wake.set()

    def say(self, message: dict[str, Any]) -> None:
        if self._hub is not None and not self._hub.is_closing():
            self._hub.write(json.dumps(message).encode() + b"\n")

    def _tell_state(self) -> None:
        if not self.ready:
            return
        state = self.state()
        rough = state.model_dump_json(exclude={"node_seconds": True, "nodes": {"__all__": FIGURES}})
        if rough == self._told and time.monotonic() - self._told_at < TELL:
            return
        self._told, self._told_at = rough, time.monotonic()
        self.say({"state": state.model_dump(mode="json")})

    # attempts

    def _launch(self, asked: dict[str, Any]) -> None:
        key = asked["launch"]
        if key not in self._queue and key not in self._attempts and key not in self._ended:
            if (Path(asked["folder"]) / CARRIED).exists():
                # a process before this one gave it to a node, where it may run: never twice
                self._end(key, "the process of its cluster was killed", False)
                return
            wanted = Resources.model_validate(asked["resources"])
            self._queue[key] = Waiting(wanted, asked.get("timeout"))
            self._asked[key] = asked

    def _place(self) -> None:
        """Give what waits to nodes that have room.

        Dask itself would also queue attempts behind others on one node while another is free.
        """
        if self._client is None:
            return
        for key, waiting in list(self._queue.items()):
            node = self._pool.room_for(waiting)
            if node is None:
                continue
            del self._queue[key]
            try:
                (Path(self._asked[key]["folder"]) / PLACED).touch()
            except FileNotFoundError:  # the hub has taken it back
                self._withdraw(key)
                continue
            self._pool.take(node, key, waiting.wanted)
            far = self.is_far(node)
            way = self._network_gate if far else None
            work: tuple[Any, ...] = (run_attempt, self._asked[key]["folder"], far, way)
            if (gate := self.gate_of(node)) is not None:
                # the hub must not look for its runner among the processes of this machine
                (Path(self._asked[key]["folder"]) / CARRIED).touch()
                work = (carry_attempt, self._order(key), gate)
            if self.owns_nodes:
                work = (beside_users, *work)
            future = self._attempts[key] = self._client.submit(
                *work,
                waiting.wanted.gpus,
                key=f"{PREFIX}{key}",
                workers=[node.address],
                retries=0,
                pure=False,
            )
            self.spawn(self._follow(key, waiting, future))

    def _order(self, key: str) -> AttemptOrder:
        job_id, _, number = key.partition("/")
        token = self._asked[key]["token"]
        return AttemptOrder(job_id=job_id, attempt=int(number), token=token)

    def _end_runner(self, key: str, force: bool) -> None:
        place = dict(self._pool.taken()).get(key)
        if key in self._attempts and place is not None:
            self.spawn(self._end_on(key, *place, force))

    async def _end_on(self, key: str, name: str, address: str, force: bool) -> None:
        self._pool.doubt(name, True)
        try:
            assert self._client is not None
            folder = self._asked[key]["folder"]
            async with asyncio.timeout(REACH):
                if (Path(folder) / CARRIED).exists():
                    await self._client.run(end_carried, key, force, workers=[address])
                else:
                    await self._client.run(end_attempt_here, folder, force, workers=[address])
        except Exception as error:
            log.warning("Node %s does not do as it is told (%r)", name, error)
            if force and key in self._attempts:
                await self._pool.give_up(name, "it does not answer")
                return
        self._pool.doubt(name, False)

    async def _follow(self, key: str, waiting: Waiting, future: Future) -> None:
        why: str | None = None
        gone = False
        try:
            gone, why = True, None if await future == "ended" else "its runner was killed"
        except KilledWorker as error:
            why = f"node {error.last_worker.name} died"
        except FolderMissing as error:
            gone, why = True, str(error)
        except (asyncio.CancelledError, FutureCancelledError):
            if self._stopping.is_set():
                raise
            if key not in self._lost and self.keep(key):
                return
            why = "its node died"
        except Exception as error:
            why = f"the node failed: {error!r}"
        why = self._lost.pop(key, why)
        if why is not None and not gone and not self._begun(key):
            # no runner has it: it goes to another node
            self._attempts.pop(key, None)
            self._pool.give_back(key)
            (Path(self._asked[key]["folder"]) / PLACED).unlink(missing_ok=True)
            self._queue[key] = waiting
            self._wake.set()
            return
        self.end(key, why, gone)

    def _begun(self, key: str) -> bool:
        folder = Path(self._asked[key]["folder"])
        # what is carried has its lock on its own machine: nobody knows here
        return (folder / LOCK).exists() or (folder / CARRIED).exists()

    def is_far(self, node: Any) -> bool:
        """Is a node that shares this machine's disk another machine? MLflow is behind the network
        gate there."""
        return False

    def keep(self, key: str) -> bool:
        """Dask has let go of the attempt: may it run all the same?"""
        return False

    def lose(self, gone: set[str]) -> None:
        """What was on nodes at these addresses is lost.

        Of a node that said goodbye Dask would keep the attempt for another, which never comes.
        """
        for key, (name, address) in self._pool.taken():
            if address in gone and (future := self._attempts.get(key)) is not None:
                self._lost[key] = f"node {name} died"
                self.spawn(future.cancel())

    def end(self, key: str, why: str | None, gone: bool) -> None:
        """An attempt is over. `why`: it was lost. `gone`: nothing of it is left."""
        self._attempts.pop(key, None)
        self._asked.pop(key, None)
        self._pool.give_back(key)
        self._end(key, why, gone)

    def _end(self, key: str, why: str | None, gone: bool) -> None:
        self._ended[key] = (why, gone)
        while len(self._ended) > 10_000:
            self._ended.pop(next(iter(self._ended)))
        self.say({"ended": key, "lost": why, "gone": gone})
        self._wake.set()

    def _withdraw(self, key: str) -> None:
        # what runs already is ended by the hub, which knows the runner
        if key not in self._attempts:
            self._queue.pop(key, None)
            self._asked.pop(key, None)
            self._end(key, "it was withdrawn", True)


def _address(data: dict[str, Any] | None) -> GateAddress | None:
    return None if data is None else GateAddress.model_validate(data)


def _short(path: Path) -> str:
    """A socket's path has about 100 characters at most: relative ones are shorter."""
    return os.path.relpath(path)
