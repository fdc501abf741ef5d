"""Starts a workspace's hub: takes its lock, makes its parts, serves until it is told to stop.

The order is by what a first job needs: the zygote and the HTTP server at once, MLflow behind
them. Nothing waits for MLflow; its socket is bound first, so whoever talks to it early waits in
its queue.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn

from perijove import __version__
from perijove.abc import AgentTarget, ComputeTarget, Workshop
from perijove.compute.builds import UvBuilder
from perijove.compute.environments import EnvironmentZygotes
from perijove.compute.instance.files import LocalFiles
from perijove.compute.instance.kernels import Kernels
from perijove.compute.kinds import MAKERS, show_key
from perijove.compute.local import LocalTarget
from perijove.compute.tasks import ProcessTasks
from perijove.compute.wheels import packed
from perijove.compute.zygote import Zygote
from perijove.errors import InvalidInput, PerijoveError
from perijove.hub.app import create_app
from perijove.hub.context import Hub
from perijove.hub.folder import lock, read_config, read_secrets, versions
from perijove.hub.gate import bind_gate, create_gate, gate_config
from perijove.hub.listener import Listener
from perijove.hub.pokes import Pokes
from perijove.hub.tracking import Tracking
from perijove.models.processes import current_process, runtime_dir
from perijove.models.tokens import KERNELS, agent_token
from perijove.models.workspaces import HubInfo, HubStatus, WorkspaceFolder
from perijove.plugins import COMPUTE, with_plugins
from perijove.services.attemptspecs import AttemptSpecs
from perijove.services.broker import Broker
from perijove.services.catalog import Catalog
from perijove.services.changes import Changes
from perijove.services.compute import ComputeService
from perijove.services.delivery import Delivery
from perijove.services.environments import Environments
from perijove.services.events import EventLogs
from perijove.services.experiments import ExperimentService
from perijove.services.instancefiles import FileService
from perijove.services.instancespecs import InstanceKernelspecs
from perijove.services.jobs import JobService
from perijove.services.kernels import KernelService
from perijove.services.kernelspecs import KernelFolder, Kernelspecs
from perijove.services.notebooks import NotebookService
from perijove.services.power import PowerService
from perijove.services.recorder import Recorder, user_name
from perijove.services.registry import Registry
from perijove.services.runfiles import RunFiles
from perijove.services.runs import RunService
from perijove.services.supervisor import Supervisor
from perijove.services.uploads import Uploads
from perijove.store.database import open_database
from perijove.store.environments import SqlEnvironmentStore
from perijove.store.jobs import SqlJobStore
from perijove.store.targets import SqlTargetStore
from perijove.writing import replace_file

log = logging.getLogger(__name__)

MLFLOW_AFTER = 3.0
"""Seconds the MLflow server's start waits at most for the zygote's: both want all cores."""
SWEEP = 30.0
"""Seconds between two looks for zygotes of environments that nobody uses."""


def bind() -> socket.socket:
    """A listening socket on a free loopback port."""
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio turns Nagle off only for these
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return listener


class Server(uvicorn.Server):
    """uvicorn, which leaves signals to us and says when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    def install_signal_handlers(self) -> None:
        return

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()


async def serve(folder: WorkspaceFolder) -> None:
    """Run the hub until a signal or a shutdown request."""
    config = read_config(folder)
    keys = read_secrets(folder)
    folder.jobs.mkdir(exist_ok=True)
    zygote = None
    if config.warm_start and sys.platform == "linux":
        zygote = Zygote(config.preload, folder.hub_log)
        await zygote.start()
    listener = bind()
    broker, logs = Broker(), EventLogs(folder)
    database = open_database(folder.database, folder.backups)
    store = SqlJobStore(database)
    pokes = Pokes(runtime_dir() / f"{_short(folder)}.poke")
    gate_path = runtime_dir() / f"{_short(folder)}.d" / "gate"
    gate_path.parent.mkdir(mode=0o700, exist_ok=True)
    tracking = Tracking(folder, config, keys["token"], str(pokes.path), broker)
    tasks = ProcessTasks(zygote)
    builder = UvBuilder(folder.environments)
    here = Kernels(folder.compute / "local" / "kernels", lambda: zygote, builder=builder)
    here.adopt()
    files = LocalFiles(Path.home()) if config.local_kernels else None
    zygotes = EnvironmentZygotes(config.preload, folder.hub_log) if zygote is not None else None
    local = LocalTarget(config.slots, config.lease_seconds, zygote, here, files, zygotes)
    targets: dict[str, ComputeTarget] = {local.name: local}
    catalog = Catalog(
        builder,
        Kernelspecs(zygote is not None),
        KernelFolder(folder.environments),
        warm_start=zygote is not None,
    )
    recorder = Recorder(folder, store, logs, broker, tracking.tracker, tasks)
    recorder.fresh = tracking.fresh
    specs = AttemptSpecs(
        folder, store, tracking.tracker, catalog, keys["signing_key"], str(pokes.path)
    )
    supervisor = Supervisor(
        folder=folder,
        store=store,
        logs=logs,
        broker=broker,
        targets=targets,
        specs=specs,
        experiment_id=recorder.experiment_id,
        on_ended=recorder.wake,
        environments=catalog,
    )
    environments = Environments(
        SqlEnvironmentStore(database),
        catalog,
        store,
        broker,
        user_name(),
        changed=supervisor.wake,
        forget=_nothing if zygotes is None else zygotes.forget,
        removed=lambda: _tidy(targets.values()),
    )
    jobs = JobService(
        folder, config, store, logs, broker, catalog, supervisor, recorder, tracking.tracker
    )

    delivery = Delivery(folder, config, store, supervisor, packed)
    gate_app = create_gate(delivery, keys["signing_key"], tracking.tracker.tracking_uri)
    network = Listener(folder, gate_app)

    def workshop(name: str) -> Workshop:
        return Workshop(
            folder=folder.compute / name,
            files=folder.root / "files" / name,
            name=f"{_short(folder)}-{name.lower()}",
            lease=config.lease_seconds,
            preload=config.preload,
            warm_start=config.warm_start,
            gate=gate_path,
            network_gate=lambda: network.gate,
            agent_token=agent_token(name, keys["signing_key"]),
            attempt_token=specs.token,
            tracking_uri=tracking.tracker.tracking_uri,
            changed=broker.changed,
            environments=catalog.digests,
        )

    makers = with_plugins(COMPUTE, MAKERS)
    compute = ComputeService(
        SqlTargetStore(database), jobs, broker, makers, workshop, user_name(), show_key
    )
    compute.load()
    power = PowerService(compute)

    def kernel_environ(target: str) -> dict[str, str]:
        found = targets.get(target)
        if isinstance(found, AgentTarget) and not found.shared:
            # its agent says where MLflow is from there; the owner's token stays here
            return {"MLFLOW_TRACKING_TOKEN": specs.token(f"{KERNELS}{target}", 0)}
        return {
            "PERIJOVE_HOME": str(folder.home),
            "PERIJOVE_WORKSPACE": folder.name,
            "MLFLOW_TRACKING_URI": tracking.tracker.tracking_uri,
            "MLFLOW_TRACKING_TOKEN": keys["token"],
        }

    kernels = KernelService(folder.kernels, compute, kernel_environ, catalog.content)
    kernels.load()
    kernelspecs = InstanceKernelspecs(folder, kernels, config.local_kernels, built=catalog.built)
    changes = Changes(broker)
    pokes.listen(supervisor.poked, supervisor.metrics, changes.add)
    stopping = asyncio.Event()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    me = current_process()

    def status_now() -> HubStatus:
        return HubStatus(
            state="running",
            url=url,
            tracking_uri=tracking.tracker.tracking_uri,
            tracking_state=tracking.state(recorder.reachable),
            pid=me.pid,
            home=str(folder.home),
            workspace=folder.name,
            jobs=store.counts(),
            targets=hub.targets(),
            versions=versions(),
            recording=store.outbox_size(),
            listen=network.address,
        )

    hub = Hub(
        folder=folder,
        url=url,
        jobs=jobs,
        compute=compute,
        power=power,
        network=network,
        kernels=kernels,
        files=FileService(compute),
        notebooks=NotebookService(tasks),
        environments=environments,
        experiments=ExperimentService(tracking.records),
        models=Registry(
            tracking.registry, store, Uploads(folder.root / "uploads"), tasks, user_name()
        ),
        runs=RunService(tracking.records, RunFiles(tracking.records, tracking.artifacts, tasks)),
        changes=changes,
        tracker=tracking.tracker,
        tasks=tasks,
        broker=broker,
        status_now=status_now,
        stop=stopping.set,
    )
    await environments.start()
    await supervisor.start()
    await compute.resume()
    works = (supervisor.run(), recorder.run(), power.run(), compute.usages.run())
    loops = [asyncio.create_task(work) for work in works]
    loops.append(asyncio.create_task(_start_tracking(tracking, zygote)))
    loops.append(asyncio.create_task(tracking.watch(store, supervisor)))
    loops.append(asyncio.create_task(tracking.attend()))
    loops.append(asyncio.create_task(changes.watch(tracking.records.changes)))
    loops += [asyncio.create_task(work) for work in (kernels.run(), kernelspecs.run())]
    if zygotes is not None:
        loops.append(asyncio.create_task(_sweep(zygotes)))
    server = Server(
        uvicorn.Config(
            create_app(hub, keys["token"]),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
    )
    gate = Server(gate_config(gate_app))
    gate_listener = bind_gate(gate_path)
    serving = asyncio.create_task(server.serve([listener]))
    serving_gate = asyncio.create_task(gate.serve([gate_listener]))
    await server.serving.wait()
    await gate.serving.wait()
    try:
        await network.resume()
    except PerijoveError as error:
        log.error("%s", error)
    info = HubInfo(
        url=url,
        tracking_uri=tracking.tracker.tracking_uri,
        token=keys["token"],
        version=__version__,
        home=str(folder.home),
        workspace=folder.name,
        **me.model_dump(),
    )
    replace_file(folder.hub_json, info.model_dump_json(indent=1))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    log.info("The hub of workspace %s serves at %s", folder.name, url)
    gc.freeze()  # what is loaded stays: no use in looking for garbage in it
    await asyncio.wait(
        [serving, serving_gate, asyncio.create_task(stopping.wait())], return_when="FIRST_COMPLETED"
    )
    await asyncio.sleep(0.05)  # the answer to the shutdown request leaves first
    folder.hub_json.unlink(missing_ok=True)
    broker.close()
    server.should_exit = gate.should_exit = True
    for target in targets.values():
        if isinstance(target, AgentTarget):
            target.hang_up()
    await network.close()
    await asyncio.gather(serving, serving_gate)
    for task in loops:
        task.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
    await recorder.close()
    await supervisor.close()
    await environments.close()
    await tracking.stop(leave=bool(store.active()))
    if zygotes is not None:
        zygotes.close()
    if zygote is not None:
        await zygote.close()
    pokes.close()
    store.close()


async def _sweep(zygotes: EnvironmentZygotes) -> None:
    while True:
        await asyncio.sleep(SWEEP)
        zygotes.sweep()


def _nothing(python: str) -> None:
    return None


def _tidy(targets: Iterable[ComputeTarget]) -> None:
    for target in targets:
        if isinstance(target, AgentTarget):
            target.tidy()


async def _start_tracking(tracking: Tracking, zygote: Zygote | None) -> None:
    if zygote is not None:
        with suppress(TimeoutError):
            await asyncio.wait_for(zygote.ready.wait(), MLFLOW_AFTER)
    await tracking.start()


def _short(folder: WorkspaceFolder) -> str:
    return hashlib.sha256(str(folder.root).encode()).hexdigest()[:16]


def main(argv: list[str] | None = None) -> int:
    """``python -m perijove.hub --workspace NAME``: serve in the foreground."""
    parser = argparse.ArgumentParser(prog="perijove.hub", description=main.__doc__)
    parser.add_argument("--workspace", default=os.environ.get("PERIJOVE_WORKSPACE", "default"))
    name: Any = parser.parse_args(argv).workspace
    home = Path(os.environ.get("PERIJOVE_HOME") or Path.home() / ".perijove").absolute()
    folder = WorkspaceFolder(home, name)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for noisy in ("httpx", "httpcore", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    descriptor = lock(folder)
    if descriptor is None:
        log.info("Another hub serves workspace %s", name)
        return 0
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        asyncio.run(serve(folder))
    except InvalidInput as error:
        log.error("%s", error)
        return 2
    return 0
