"""The process of one cluster: Dask's scheduler, the nodes, and how many of them there are.

``python -m perijove.compute.cluster.process FOLDER``. It outlives the hub that started it; the
next hub finds its socket in the folder. An attempt is a Dask task, pinned to a node that has what
it needs; users' own Dask work runs on the same nodes.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Scheduler, SpecCluster
from distributed.diagnostics.plugin import SchedulerPlugin

from perijove.compute.cluster.attached import AttachedProcess
from perijove.compute.cluster.attempts import LOOK, AttemptProcess
from perijove.compute.cluster.launchers import find_launcher
from perijove.compute.cluster.protocol import DEFINITION, PROCESS, TLS
from perijove.compute.cluster.scaling import Scaling
from perijove.compute.cluster.tls import make_certificate, security
from perijove.models.agents import GateAddress
from perijove.models.compute import ClusterDefinition, ClusterState, Kind

log = logging.getLogger("perijove.cluster")

SOON = 0.02
"""Seconds between two looks while a node arrives."""
SETTINGS = {
    # an attempt is tried again by the hub, which knows how often, not by Dask
    "distributed.scheduler.allowed-failures": 0,
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


class ClusterProcess(AttemptProcess):
    """See the module's docstring."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._definition = self._read()
        self._launcher = find_launcher(self._definition.on)(folder, self._definition)

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
            self._pool = self._scaling = Scaling(
                self._cluster, self._definition, self._queue.values
            )
            async with Client(
                self._scheduler.address, asynchronous=True, security=secured, set_as_default=False
            ) as self._client:
                name, address = self._definition.name, self._scheduler.address
                log.info("Cluster %s schedules at %s", name, address)
                gc.freeze()  # what is loaded stays: no use in looking for garbage in it
                await self.serve()
                await self._scaling.release_all()
                await self._launcher.close()
        (self._folder / PROCESS).unlink(missing_ok=True)

    async def look(self) -> float:
        here = {worker.address for worker in self._scheduler.workers.values()}
        gone, self._arrivals.gone = set(self._arrivals.gone) - here, []
        self.lose(gone)
        if self._gate is not None:
            self._launcher.hub_is(self._gate)
        await self._scaling.adapt()
        return SOON if self._scaling.arriving else LOOK

    def define(self, definition: dict[str, Any]) -> None:
        self._definition = ClusterDefinition.model_validate(definition)
        self._scaling.definition = self._launcher.definition = self._definition

    def gate_of(self, node: Any) -> GateAddress | None:
        return self._launcher.gate(str(node.name))

    def is_far(self, node: Any) -> bool:
        return self._launcher.far

    def _dashboard(self) -> str:
        server = getattr(self._scheduler, "http_server", None)
        port = getattr(server, "port", None)
        return f"http://127.0.0.1:{port}/status" if port else ""

    def state(self) -> ClusterState:
        return ClusterState(
            nodes=self._scaling.nodes(),
            target_nodes=self._scaling.target,
            waiting=len(self._queue),
            node_seconds=self._scaling.node_seconds,
            scheduler=self._scheduler.address,
            dashboard=self._dashboard(),
            certificates=str(self._folder / TLS),
            message=self._launcher.message or self._scaling.message or self._no_way(),
        )

    def _no_way(self) -> str | None:
        if not self._launcher.far or self._network_gate is not None or self._gate is None:
            return None
        address = self._scheduler.address.removeprefix("tls://").rpartition(":")[0]
        return (
            "Notebooks on its nodes do not reach MLflow; turn the hub's TLS listener on: "
            f"perijove up --listen {address}."
        )


def _process(folder: Path) -> ClusterProcess | AttachedProcess:
    kind = json.loads((folder / DEFINITION).read_text())["kind"]
    return AttachedProcess(folder) if kind == Kind.ATTACHED else ClusterProcess(folder)


def main() -> None:
    """See the module's docstring."""
    folder = Path(sys.argv[1])
    os.chdir(folder)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    with dask.config.set(SETTINGS):
        asyncio.run(_process(folder).run())


if __name__ == "__main__":
    main()
