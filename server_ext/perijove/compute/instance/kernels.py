"""Starts and holds kernels on the machine this runs on; they outlive whoever started them.

A kernel's folder has what is needed to find it again::

    kernels/<kernel id>/record.json    what was asked for
                        launch.json    what it was launched with
                        kernel.json    its connection: ports and key, the same after a restart
                        process.json   pid, start time, boot
                        log            what it wrote to its own stdout and stderr
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import psutil
from pydantic import BaseModel

from perijove.abc import EnvironmentBuilder
from perijove.background import Tasks
from perijove.compute.cluster.usage import Usage
from perijove.compute.instance.environments import Command, argv_of, built, environments
from perijove.compute.instance.launch import are_free, launch_of, new_connection
from perijove.compute.waiting import wait_for_exit
from perijove.compute.zygote import Zygote
from perijove.errors import Conflict, EnvironmentFailed, NotFound, Unreachable
from perijove.models.attempts import RunnerProcess
from perijove.models.environments import EnvironmentContent, EnvironmentSummary
from perijove.models.kernels import (
    CONNECTION_FILE,
    LAUNCH,
    LOG,
    PROCESS,
    RECORD,
    Connection,
    KernelInfo,
    KernelLaunch,
    KernelRecord,
    KernelRequest,
    KernelState,
)
from perijove.models.processes import boot_id, end_session, is_alive, start_time
from perijove.writing import replace_file

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
BOUND = 2.0
"""Seconds the start of a forked kernel waits for its sockets: a client that connects before they
are there tries again 0.1 s later only."""
CLOSING = 1.0
"""Seconds the ports of a kernel that has died may still be taken."""
LOOK = 0.005
KEPT = timedelta(days=7)
"""How long the connection of a kernel that died is kept for its next start."""

M = TypeVar("M", bound=BaseModel)


@dataclass
class _Kernel:
    folder: Path
    record: KernelRecord
    connection: Connection
    process: RunnerProcess | None = None
    bound: bool = False
    gpus: list[str] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def alive(self) -> bool:
        return self.process is not None and is_alive(self.process)


class Kernels:
    """The kernels of this machine; a `KernelHost`.

    Parameters
    ----------
    folder: where it keeps them, one folder a kernel.
    zygote: forks kernels of the machine's own Python; None: they start the ordinary way.
    environ: added to every kernel's environment.
    ip: where kernels listen. On any address but a loopback one only those that can encrypt run.
    builder: builds environments for them.
    """

    def __init__(
        self,
        folder: Path,
        zygote: Callable[[], Zygote | None] = lambda: None,
        ip: str = LOOPBACK,
        environ: Callable[[], dict[str, str]] = dict,
        builder: EnvironmentBuilder | None = None,
    ) -> None:
        self._builder = builder
        self._environ = environ
        self._folder = folder
        self._zygote = zygote
        self._ip = ip
        self._outside = not ip_address(ip).is_loopback
        self._kernels: dict[str, _Kernel] = {}
        self._tasks = Tasks("the kernels", log)

    def adopt(self) -> None:
        """Find the kernels of an earlier process of ours. Call it once, before anything else."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in self._folder.iterdir():
            record = _read(KernelRecord, folder / RECORD)
            connection = _read(Connection, folder / CONNECTION_FILE)
            if record is None or connection is None:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            process = _read(RunnerProcess, folder / PROCESS) or _search(folder)
            kernel = _Kernel(folder, record, connection, process, gpus=_gpus(folder))
            if process is not None and kernel.alive:
                kernel.usage.add(process.pid, folder)
            elif datetime.now(UTC) - record.started_at > KEPT:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            self._kernels[record.request.kernel_id] = kernel

    async def start(self, request: KernelRequest) -> KernelInfo:
        """The kernel of this id: the one that runs, or a new process. One that died before gets
        the ports and the key it had.

        Raises
        ------
        NotFound: there is no such environment here.
        Conflict: its language cannot encrypt, and the kernel would not be on loopback.
        Unreachable: the process does not start.
        """
        kernel = self._kernels.get(request.kernel_id)
        if kernel is None:
            command = await asyncio.to_thread(self._command, request)
            kernel = self._kernels.setdefault(request.kernel_id, self._new(request, command))
        else:
            command = None
        async with kernel.lock:
            if not kernel.alive:
                if command is None:
                    command = await asyncio.to_thread(self._command, request)
                try:
                    await self._launch(kernel, request, command)
                except OSError as error:
                    self._forget(kernel)
                    raise Unreachable(
                        f"The kernel cannot be started: {error.strerror or error}.",
                        remedy="Look for a full disk or a missing program on that machine.",
                    ) from None
        return self._info(kernel)

    async def signal(self, kernel_id: str, signum: int) -> None:
        """Send a signal to the kernel's process group; nothing if it is dead.

        Raises
        ------
        NotFound: there is no such kernel.
        """
        kernel = self._find(kernel_id)
        if kernel.process is not None and kernel.alive:
            with suppress(ProcessLookupError):
                os.killpg(kernel.process.pid, signum)

    async def end(self, kernel_id: str) -> None:
        """End the kernel and everything it started, wait until it is gone, and forget it; nothing
        if there is none."""
        kernel = self._kernels.get(kernel_id)
        if kernel is None:
            return
        async with kernel.lock:
            await asyncio.to_thread(_end, kernel.process)
            self._forget(kernel)

    async def build(self, content: EnvironmentContent) -> str:
        """Have an environment here, built once: its Python.

        Raises
        ------
        EnvironmentFailed: it cannot be built.
        """
        if self._builder is None:
            raise EnvironmentFailed("Nothing builds environments here.", field="environment")
        return (await self._builder.build(content)).python

    async def environments(self) -> list[EnvironmentSummary]:
        """What kernels can run in here."""
        return await asyncio.to_thread(environments)

    async def list(self) -> list[KernelInfo]:
        """All kernels, oldest first; with those that died, until they are ended."""
        kernels = sorted(self._kernels.values(), key=lambda kernel: kernel.record.started_at)
        return await asyncio.to_thread(lambda: [self._info(kernel) for kernel in kernels])

    async def look(self, kernel_id: str) -> KernelInfo:
        """One kernel, without CPU and memory: quick.

        Raises
        ------
        NotFound: there is no such kernel.
        """
        return self._info(self._find(kernel_id), figures=False)

    async def reach(self, info: KernelInfo, before: Connection | None = None) -> Connection:
        """The kernel's own connection: it is on this machine."""
        return info.connection

    # details

    def _command(self, request: KernelRequest) -> Command:
        command = argv_of(request.environment) if request.python is None else built(request.python)
        if self._outside and not (command.curve and request.encrypt):
            raise Conflict(
                f"Kernels of {request.environment or 'base'} would not encrypt what they send.",
                field="environment",
                remedy="Use jupyter_client 8.10 and ipykernel 7.4, or an instance over SSH.",
            )
        return command

    def _new(self, request: KernelRequest, command: Command) -> _Kernel:
        folder = self._folder / request.kernel_id
        record = KernelRecord(request=request, started_at=datetime.now(UTC))
        return _Kernel(folder, record, new_connection(self._ip, request.encrypt and command.curve))

    async def _launch(self, kernel: _Kernel, request: KernelRequest, command: Command) -> None:
        await asyncio.to_thread(_end, kernel.process)  # what a dead one has left
        # a killed process may be gone before the last of its threads has closed its sockets
        deadline = time.monotonic() + CLOSING
        while not (free := are_free(kernel.connection)) and time.monotonic() < deadline:
            await asyncio.sleep(LOOK)
        if not free:
            kernel.connection = new_connection(self._ip, request.encrypt and command.curve)
        kernel.bound = False
        kernel.record = KernelRecord(request=request, started_at=datetime.now(UTC))
        environ = request.environ | self._environ()
        launch = launch_of(kernel.folder, request.model_copy(update={"environ": environ}), command)
        kernel.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (kernel.folder / PROCESS).unlink(missing_ok=True)
        _write(kernel.folder / CONNECTION_FILE, kernel.connection)
        _write(kernel.folder / LAUNCH, launch)
        _write(kernel.folder / RECORD, kernel.record)
        self._kernels[request.kernel_id] = kernel
        kernel.gpus = _gpus(kernel.folder)
        zygote = self._zygote() if command.forkable else None
        pid = await zygote.fork_kernel(str(kernel.folder)) if zygote is not None else None
        forked = pid is not None
        if pid is None:
            pid = self._popen(kernel.folder, launch)
        started = start_time(pid)
        kernel.usage = Usage()
        kernel.usage.add(pid, kernel.folder)
        # one that is gone already has no start time: it is dead, as everyone will see
        process = RunnerProcess(pid=pid, start_time=started or 0, boot_id=boot_id())
        kernel.process = process
        _write(kernel.folder / PROCESS, process)
        deadline = time.monotonic() + BOUND * forked
        while not self._is_bound(kernel) and kernel.alive and time.monotonic() < deadline:
            await asyncio.sleep(LOOK)

    def _popen(self, folder: Path, launch: KernelLaunch) -> int:
        with (folder / LOG).open("ab") as output:
            process = subprocess.Popen(
                launch.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=launch.cwd,
                env=launch.environ,
                start_new_session=True,
            )
        self._tasks.spawn(_reap(process))
        return process.pid

    def _is_bound(self, kernel: _Kernel) -> bool:
        """Does it listen? Once seen it stays true."""
        if not kernel.bound:
            connection = kernel.connection
            with suppress(OSError):
                for port in (connection.shell_port, connection.control_port, connection.hb_port):
                    socket.create_connection((connection.ip, port), timeout=0.2).close()
                kernel.bound = True
        return kernel.bound

    def _info(self, kernel: _Kernel, figures: bool = True) -> KernelInfo:
        state = KernelState.DEAD
        if kernel.alive:
            state = KernelState.RUNNING if self._is_bound(kernel) else KernelState.STARTING
        request = kernel.record.request
        used = kernel.usage.figures() if figures and state is not KernelState.DEAD else None
        return KernelInfo(
            kernel_id=request.kernel_id,
            environment=request.environment,
            name=request.name,
            state=state,
            pid=kernel.process.pid if kernel.process is not None else None,
            started_at=kernel.record.started_at,
            connection=kernel.connection,
            cpu_percent=round(used["cpu"], 1) if used else None,
            memory_used=int(used["memory"]) if used else None,
            gpus=kernel.gpus,
        )

    def _find(self, kernel_id: str) -> _Kernel:
        if (found := self._kernels.get(kernel_id)) is None:
            raise NotFound(f"There is no kernel {kernel_id[:40]!r} here.", field="kernel_id")
        return found

    def _forget(self, kernel: _Kernel) -> None:
        shutil.rmtree(kernel.folder, ignore_errors=True)
        self._kernels.pop(kernel.record.request.kernel_id, None)


def _end(process: RunnerProcess | None) -> None:
    """End its session, unless its pid is somebody else's by now."""
    if process is not None and start_time(process.pid) in (None, process.start_time):
        end_session(process)


def _search(folder: Path) -> RunnerProcess | None:
    """A kernel whose starter was killed before it could write down which process it is."""
    connection_file = str(folder / CONNECTION_FILE)
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if connection_file in process.cmdline() and (begun := start_time(process.pid)):
                return RunnerProcess(pid=process.pid, start_time=begun, boot_id=boot_id())
    return None


def _gpus(folder: Path) -> list[str]:
    launch = _read(KernelLaunch, folder / LAUNCH)
    visible = launch.environ.get("CUDA_VISIBLE_DEVICES", "") if launch is not None else ""
    return [part.strip() for part in visible.split(",") if part.strip()]


def _read(model: type[M], path: Path) -> M | None:
    try:
        return model.model_validate_json(path.read_text())
    except (OSError, ValueError):
        return None


def _write(path: Path, content: BaseModel) -> None:
    replace_file(path, content.model_dump_json(exclude_none=True))


async def _reap(process: subprocess.Popen[Any]) -> None:
    await wait_for_exit(process.pid)
    process.wait()
