"""The process of one cluster: Dask's scheduler, the nodes, and how many of them there are.

``python -m perijove.compute.cluster.process FOLDER``. It outlives the hub that started it; the
next hub finds its socket in the folder. An attempt is a Dask task, pinned to a node that has what
it needs; users' own Dask work runs on the same nodes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Future, Scheduler, SpecCluster
from distributed.client import FutureCancelledError
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.scheduler import KilledWorker

from perijove.compute.cluster.launchers import find_launcher
from perijove.compute.cluster.node import FolderMissing, end_attempt_here, run_attempt
from perijove.compute.cluster.protocol import (
    DEFINITION,
    PROCESS,
    SOCKET,
    TLS,
    ProcessFile,
)
from perijove.compute.cluster.scaling import PREFIX, Scaling, Waiting
from perijove.compute.cluster.tls import make_certificate, security
from perijove.models.attempts import LOCK, RunnerProcess
from perijove.models.compute import ClusterDefinition, ClusterState, Resources
from perijove.models.processes import current_process

log = logging.getLogger("perijove.cluster")

LOOK = 0.5
"""Seconds between two looks at what there is to do."""
SOON = 0.02
REACH = 10.0
"""Seconds a node has to do as it is told."""
TELL = 2.0
"""Seconds between two tellings of figures that always change."""
SETTINGS = {
    # an attempt is tried again by the hub, which knows how often, not by Dask
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    "distributed.worker.memory.terminate": False,
    "distributed.worker.daemon": False,
    "distributed.comm.timeouts.connect": "30s",
    "distributed.admin.log-format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
}


class Arrivals(SchedulerPlugin):
    """Wakes the loop when a node is there, something waits for it; and says which have gone."""

    def __init__(self, wake: asyncio.Event) -> None:
        self._wake = wake
        self.gone: list[str] = []

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        self._wake.set()

    def remove_worker(self, scheduler: Scheduler, worker: str, **kwargs: Any) -> None:
        self.gone.append(worker)
        self._wake.set()


class Nodes(SpecCluster):
    """Dask's cluster, with a name of its own for every node there ever was."""

    def _new_worker_name(self, worker_number: int) -> int:
        self._i += 1
        return worker_number


class ClusterProcess:
    """See the module's docstring."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._definition = self._read()
        self._launcher = find_launcher(self._definition.on)(folder, self._definition)
        self._attempts: dict[str, Future] = {}
        self._folders: dict[str, str] = {}
        self._queue: dict[str, Waiting] = {}
        self._lost: dict[str, str] = {}
        self._ended: dict[str, tuple[str | None, bool]] = {}
        self._hub: asyncio.StreamWriter | None = None
        self._told = ""
        self._told_at = 0.0
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def _read(self) -> ClusterDefinition:
        text = (self._folder / DEFINITION).read_text()
        return ClusterDefinition.model_validate_json(text)

    async def run(self) -> None:
        """Serve until told to stop."""
        make_certificate(self._folder / TLS)
        secured = security(self._folder / TLS)
        options = {
            "host": await self._launcher.open(),
            "port": 0,
            "dashboard_address": "127.0.0.1:0",
            "security": secured,
        }
        async with Nodes(
            scheduler={"cls": Scheduler, "options": options},
            worker={"cls": self._launcher.node, "options": {"launcher": self._launcher}},
            asynchronous=True,
            security=secured,
            name=self._definition.name,
        ) as self._cluster:
            self._scheduler: Scheduler = self._cluster.scheduler
            self._arrivals = Arrivals(self._wake)
            self._scheduler.add_plugin(self._arrivals)
            self._scaling = Scaling(self._cluster, self._definition, self._queue.values)
            async with Client(
                self._scheduler.address, asynchronous=True, security=secured, set_as_default=False
            ) as self._client:
                await self._serve()
        (self._folder / PROCESS).unlink(missing_ok=True)

    async def _serve(self) -> None:
        path = self._folder / SOCKET
        path.unlink(missing_ok=True)
        before = os.umask(0o077)
        try:
            server = await asyncio.start_unix_server(self._answer, _short(path), limit=1 << 22)
        finally:
            os.umask(before)
        me = ProcessFile(process=RunnerProcess.model_validate(current_process().model_dump()))
        partial = self._folder / f".{PROCESS}"
        partial.write_text(me.model_dump_json())
        partial.replace(self._folder / PROCESS)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop)
        log.info("Cluster %s schedules at %s", self._definition.name, self._scheduler.address)
        async with server:
            while not self._stopping.is_set():
                self._lose()
                await self._scaling.adapt()
                self._place()
                self._tell_state()
                with suppress(TimeoutError):
                    async with asyncio.timeout(SOON if self._scaling.arriving else LOOK):
                        await self._wake.wait()
                self._wake.clear()
        await self._scaling.release_all()
        await self._launcher.close()

    def _stop(self) -> None:
        self._stopping.set()
        self._wake.set()

    def _dashboard(self) -> str:
        server = getattr(self._scheduler, "http_server", None)
        port = getattr(server, "port", None)
        return f"http://127.0.0.1:{port}/status" if port else ""

    # the hub

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._hub, self._told = writer, ""
        for key, (why, gone) in self._ended.items():
            self._say({"ended": key, "lost": why, "gone": gone})
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
            self._definition = ClusterDefinition.model_validate(message["define"])
            self._scaling.definition = self._launcher.definition = self._definition
        elif "stop" in message:
            self._stop()
        self._wake.set()

    def _say(self, message: dict[str, Any]) -> None:
        if self._hub is not None and not self._hub.is_closing():
            self._hub.write(json.dumps(message).encode() + b"\n")

    def _tell_state(self) -> None:
        state = self.state()
        rough = state.model_dump_json(exclude={"node_seconds": True, "nodes": {"__all__": FIGURES}})
        if rough == self._told and time.monotonic() - self._told_at < TELL:
            return
        self._told, self._told_at = rough, time.monotonic()
        self._say({"state": state.model_dump(mode="json")})

    # attempts

    def _launch(self, asked: dict[str, Any]) -> None:
        key = asked["launch"]
        if key not in self._queue and key not in self._attempts and key not in self._ended:
            wanted = Resources.model_validate(asked["resources"])
            self._queue[key] = Waiting(wanted, asked.get("timeout"))
            self._folders[key] = asked["folder"]

    def _place(self) -> None:
        """Give what waits to nodes that have room.

        Dask itself would also queue attempts behind others on one node while another is free.
        """
        for key, waiting in list(self._queue.items()):
            node = self._scaling.room_for(waiting)
            if node is None:
                continue
            del self._queue[key]
            self._scaling.take(node, key, waiting.wanted)
            future = self._attempts[key] = self._client.submit(
                run_attempt,
                self._folders[key],
                waiting.wanted.gpus,
                key=f"{PREFIX}{key}",
                workers=[node.address],
                retries=0,
                pure=False,
            )
            self._spawn(self._follow(key, waiting, future))

    def _lose(self) -> None:
        """What was on nodes that have gone is lost.

        Of a node that said goodbye Dask would keep the attempt for another, which never comes.
        """
        here = {worker.address for worker in self._scheduler.workers.values()}
        gone, self._arrivals.gone = set(self._arrivals.gone) - here, []
        for key, (name, address) in self._scaling.taken():
            if address in gone and (future := self._attempts.get(key)) is not None:
                self._lost[key] = f"node {name} died"
                self._spawn(future.cancel())

    def _end_runner(self, key: str, force: bool) -> None:
        place = dict(self._scaling.taken()).get(key)
        if key in self._attempts and place is not None:
            self._spawn(self._end_on(key, *place, force))

    async def _end_on(self, key: str, name: str, address: str, force: bool) -> None:
        self._scaling.suspects.add(name)
        try:
            async with asyncio.timeout(REACH):
                await self._client.run(
                    end_attempt_here, self._folders[key], force, workers=[address]
                )
        except Exception as error:
            log.warning("Node %s does not do as it is told (%r)", name, error)
            if force and key in self._attempts:
                self._scaling.condemned[name] = "it does not answer"
                self._wake.set()
                return
        self._scaling.suspects.discard(name)

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
            why = "its node died"
        except Exception as error:
            why = f"the node failed: {error!r}"
        why = self._lost.pop(key, why)
        self._attempts.pop(key, None)
        self._scaling.give_back(key)
        if why is not None and not gone and not self._begun(key):
            # no runner has it: it goes to another node
            self._queue[key] = waiting
            self._wake.set()
            return
        self._folders.pop(key, None)
        self._end(key, why, gone)

    def _begun(self, key: str) -> bool:
        return (Path(self._folders[key]) / LOCK).exists()

    def _end(self, key: str, why: str | None, gone: bool) -> None:
        self._ended[key] = (why, gone)
        while len(self._ended) > 10_000:
            self._ended.pop(next(iter(self._ended)))
        self._say({"ended": key, "lost": why, "gone": gone})
        self._wake.set()

    def _withdraw(self, key: str) -> None:
        # what runs already is ended by the hub, which knows the runner
        if key not in self._attempts:
            self._queue.pop(key, None)
            self._folders.pop(key, None)
            self._end(key, "it was withdrawn", True)

    def state(self) -> ClusterState:
        """What everybody may know."""
        return ClusterState(
            nodes=self._scaling.nodes(),
            target_nodes=self._scaling.target,
            waiting=len(self._queue),
            node_seconds=self._scaling.node_seconds,
            scheduler=self._scheduler.address,
            dashboard=self._dashboard(),
            certificates=str(self._folder / TLS),
            message=self._launcher.message or self._scaling.message,
        )

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


FIGURES = {"cpu_percent", "memory_used", "started_at"}


def _short(path: Path) -> str:
    """A socket's path has about 100 characters at most: relative ones are shorter."""
    return os.path.relpath(path)


def main() -> None:
    """See the module's docstring."""
    folder = Path(sys.argv[1])
    os.chdir(folder)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    with dask.config.set(SETTINGS):
        asyncio.run(ClusterProcess(folder).run())


if __name__ == "__main__":
    main()
