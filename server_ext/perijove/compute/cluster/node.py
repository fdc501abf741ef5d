"""The node's side: a Dask worker that starts runners, from a zygote of its own.

``dask worker --preload perijove.compute.cluster.node`` loads this module into the worker.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import gethostname
from types import MappingProxyType
from typing import Any, BinaryIO

from perijove.compute.cluster.usage import Usage
from perijove.compute.environments import EnvironmentZygotes, warm_attempt
from perijove.compute.gpus import VISIBLE, own_gpus
from perijove.compute.zygote import start_cold
from perijove.models.agents import GateAddress
from perijove.models.attempts import RUNNER, SPEC, STATUS, AttemptSpec, RunnerProcess
from perijove.models.logged import ARTIFACTS_VARIABLE
from perijove.models.processes import end_attempt, is_alive

PATIENCE = 15.0
"""Seconds the zygote has to answer."""
ZYGOTE = "PERIJOVE_NODE_ZYGOTE"
PRELOAD = "PERIJOVE_NODE_PRELOAD"
"""What the node's zygotes import, with commas between; not set: nothing is forked there."""
SHOWS = 20.0
"""Seconds until a shared file system shows a new folder on another host."""
USAGE = "perijove"
"""The name of our figures among the worker's metrics."""
GPUS = "PERIJOVE_NODE_GPUS"
NO_WAY = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
"""Where MLflow cannot be reached, user code hears so at once; else it would try for minutes."""


class FolderMissing(Exception):
    """What an attempt is told whose folder its node does not see."""


class NodeZygote:
    """The zygote of this node, asked from the worker's threads."""

    def __init__(self, control: socket.socket) -> None:
        control.settimeout(PATIENCE)
        self._socket = control
        self._lock = threading.Lock()
        self._number = 0
        self._ready = False

    def fork(self, folder: str, kernel: bool) -> int | None:
        """The pid of a runner for the attempt in `folder`; None: start it the ordinary way.

        `kernel`: its kernel may be one of this Python.
        """
        with self._lock:
            self._number += 1
            request = {"fork": "attempt", "folder": folder, "kernel": kernel, "id": self._number}
            try:
                while not self._ready:
                    self._hear()
                self._socket.send(json.dumps(request).encode())
                while (message := self._hear()).get("id") != self._number:
                    continue
            except (OSError, ValueError):
                return None
            pid = message.get("pid")
            return None if pid is None else int(pid)

    def close(self) -> None:
        """It ends when nobody can ask it any more."""
        self._socket.close()

    def _hear(self) -> dict[str, Any]:
        data = self._socket.recv(1 << 16)
        if not data:
            raise OSError("the zygote ended")
        message: dict[str, Any] = json.loads(data)
        self._ready = (self._ready or "ready" in message) and "anew" not in message
        return message


class Gpus:
    """The node's GPUs, each lent to one attempt at a time."""

    def __init__(self, count: int) -> None:
        self._free = own_gpus(count)
        self._changed = threading.Condition()

    def take(self, count: int) -> list[str]:
        """Wait for so many and take them."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._free) >= count)
            taken, self._free = self._free[:count], self._free[count:]
            return taken

    def give(self, taken: list[str]) -> None:
        """Give them back."""
        with self._changed:
            self._free = sorted(self._free + taken)
            self._changed.notify_all()


_zygote: NodeZygote | None = None
_gpus = Gpus(0)
_usage = Usage()
_environments: EnvironmentZygotes | None = None
_borrowers: set[str] = set()
"""Targets that use a worker they have not started."""


@contextmanager
def zygote_beside(log: BinaryIO) -> Iterator[tuple[dict[str, str], list[int]]]:
    """Start a node's zygote, where it shall have one.

    What the node's worker is started with for that: environment, and descriptors to inherit.
    """
    preload = os.environ.get(PRELOAD)
    if preload is None:
        yield {}, []
        return
    with _start_zygote(preload, log) as control:
        yield {ZYGOTE: str(control.fileno())}, [control.fileno()]


def _start_zygote(preload: str, log: BinaryIO) -> socket.socket:
    """The zygote's control socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        subprocess.Popen(
            [
                *(sys.executable, "-m", "perijove.runner.zygote"),
                *("--control-fd", str(theirs.fileno()), "--preload", preload, "--expect", "2"),
            ],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return ours


def dask_setup(worker: Any) -> None:
    """Called by Dask when the worker starts."""
    global _zygote, _gpus, _environments
    _gpus = Gpus(int(os.environ.get(GPUS, "0")))
    if sys.platform == "linux":
        worker.metrics[USAGE] = lambda _: _usage.figures()
    _environments = _warm(os.environ.get(PRELOAD))
    if ZYGOTE in os.environ:
        _zygote = NodeZygote(socket.socket(fileno=int(os.environ.pop(ZYGOTE))))
    gc.freeze()  # what is loaded stays: no use in looking for garbage in it


def _warm(preload: str | None) -> EnvironmentZygotes | None:
    return None if preload is None else EnvironmentZygotes(preload.split(","))


def lend(worker: Any, target: str, preload: str | None, gpus: int) -> None:
    """Make a worker that somebody else has started a node of `target` too.

    `preload`: see `PRELOAD`.
    """
    global _zygote, _gpus, _environments
    if not _borrowers:
        _gpus = Gpus(gpus)
        if sys.platform == "linux":
            worker.metrics[USAGE] = lambda _: _usage.figures()
            _environments = _warm(preload)
            if preload is not None:
                _zygote = NodeZygote(_start_zygote(preload, sys.stderr.buffer))
    _borrowers.add(target)


def give_back(worker: Any, target: str) -> None:
    """Undo `lend`."""
    global _zygote, _environments
    _borrowers.discard(target)
    if _borrowers:
        return
    worker.metrics.pop(USAGE, None)
    if _zygote is not None:
        _zygote.close()
    if _environments is not None:
        _environments.close()
    _zygote = _environments = None


def beside_users(work: Callable[..., str], *arguments: Any) -> str:
    """Do an attempt's work without one of Dask's threads.

    What has room is ours to say. Users' own work that Dask had put behind the attempt would wait
    for its end, and for ever if the attempt waits for it.
    """
    from distributed import secede

    secede()
    return work(*arguments)


def run_attempt(folder: str, far: bool, gate: GateAddress | None, gpus: int) -> str:
    """Run the attempt in `folder` and return when its runner has ended. A Dask task.

    `far`: this is not the hub's machine; MLflow is behind `gate`, if there is a way at all.
    """
    from distributed import get_worker

    worker = get_worker()
    _await_folder(folder, str(worker.name))
    environ = {ARTIFACTS_VARIABLE: ""} if far else {}
    if gate is not None:
        from perijove.compute.cluster.carrier import tracking_uri

        environ["MLFLOW_TRACKING_URI"] = tracking_uri(gate)
    elif far:
        environ |= NO_WAY
    run_here(folder, gpus, str(worker.name), environ)
    return "ended" if (Path(folder) / STATUS).exists() else "lost"


def run_here(
    folder: str, gpus: int, name: str, environ: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Start a runner for the attempt in `folder` on this node; returns when it has ended."""
    taken = _gpus.take(gpus)
    try:
        # CUDA sees no GPU that is not this attempt's
        environ = dict(environ) | ({VISIBLE: ",".join(taken)} if GPUS in os.environ else {})
        elsewhere = warm_attempt(_environments, Path(folder), name, environ)
        runner = _start(folder, kernel=not elsewhere)
        pid = runner if isinstance(runner, int) else runner.pid
        _usage.add(pid, Path(folder))
        try:
            _wait(runner)
        finally:
            _usage.remove(pid)
    finally:
        _gpus.give(taken)


def _await_folder(folder: str, node: str) -> None:
    deadline = time.monotonic() + SHOWS
    while not (Path(folder) / SPEC).exists():
        if time.monotonic() > deadline:
            raise FolderMissing(
                f"the attempt's folder {folder} is not there on node {node} ({gethostname()}): "
                "the workspace must be on a file system that the nodes share"
            )
        time.sleep(0.2)


async def end_attempt_here(folder: str, force: bool) -> None:
    """Ask the attempt's runner to end; with `force` end all of its processes. Run by Dask."""
    spec = AttemptSpec.model_validate_json((Path(folder) / SPEC).read_text())
    runner: RunnerProcess | None = None
    with suppress(OSError, ValueError):
        runner = RunnerProcess.model_validate_json((Path(folder) / RUNNER).read_text())
    if force:
        await asyncio.to_thread(end_attempt, spec.job_id, spec.attempt, runner)
    elif runner is not None and is_alive(runner):
        with suppress(ProcessLookupError):
            os.kill(runner.pid, signal.SIGTERM)


def _start(folder: str, kernel: bool) -> int | subprocess.Popen[bytes]:
    pid = None if _zygote is None else _zygote.fork(folder, kernel)
    if pid is not None:
        return pid
    return start_cold(folder)


def _wait(runner: int | subprocess.Popen[bytes]) -> None:
    if not isinstance(runner, int):
        runner.wait()
        return
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(runner)
        try:
            select.select([descriptor], [], [])
        finally:
            os.close(descriptor)
