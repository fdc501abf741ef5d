"""Kernels: forked where that is possible, started the ordinary way elsewhere.

A forked kernel is an ordinary ipykernel in every respect a notebook can see, except that its
modules are already in memory. One of this Python is forked from the runner, before that has a
thread or a ZeroMQ context; one of another environment by that environment's zygote. Both boot
while the runner prepares the notebook, and talk over ``ipc://`` sockets.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from perijove.models.processes import runtime_dir
from perijove.runner.forking import become_kernel
from perijove.runner.stops import stops

BOOT = 10.0
"""Seconds a forked kernel has to come up before an ordinary one is started instead."""
LEAVE = 10.0
"""Seconds a kernel has to end by itself: user code's atexit handlers run in them."""
LEAVE_INTERRUPTED = 3.0
"""The same after the job was canceled or its time is over."""


def can_fork(spec: dict[str, Any], python: str, interpreter: str = sys.executable) -> bool:
    """Is this kernelspec plainly the ipykernel of this very `interpreter`? In doubt: no."""
    argv = [str(part) for part in spec.get("argv", [])]
    return (
        sys.platform == "linux"
        and spec.get("language") == "python"
        and os.path.abspath(python) == os.path.abspath(interpreter)
        and [part for part in argv[1:] if part != "-Xfrozen_modules=off"]
        == ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
        and not spec.get("env")
        and spec.get("interrupt_mode", "signal") == "signal"
        and "kernel_provisioner" not in (spec.get("metadata") or {})
    )


class WarmKernel(ABC):
    """A kernel that a process forked which had its modules in memory."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="k", dir=runtime_dir()))
        self.connection_file = self.folder / "kernel.json"
        self.connection = {
            "transport": "ipc",
            "ip": str(self.folder / "s"),
            "shell_port": 1,
            "iopub_port": 2,
            "stdin_port": 3,
            "control_port": 4,
            "hb_port": 5,
            "key": uuid4().hex,
            "signature_scheme": "hmac-sha256",
            "kernel_name": "",
        }
        self.connection_file.touch(0o600)
        self.connection_file.write_text(json.dumps(self.connection))
        self.status: int | None = None
        self.interrupted = False

    @abstractmethod
    def wait_ready(self) -> bool:
        """Wait until its sockets are bound; False: it does not come up."""

    @abstractmethod
    def poll(self) -> int | None:
        """None while it lives, else its exit code (negative: the signal)."""

    @abstractmethod
    def send_signal(self, number: int) -> None:
        """To the kernel's process group, while it lives."""

    @abstractmethod
    def interrupt(self) -> None:
        """End what runs now: a KeyboardInterrupt in the cell."""

    @abstractmethod
    async def gone(self) -> None:
        """Return when it has ended."""

    @abstractmethod
    def end(self, patience: float) -> None:
        """Wait `patience` seconds for its end, then kill it; free what it had."""


class ForkedKernel(WarmKernel):
    """A kernel that is a child of this process.

    Without `workdir` it comes up and waits until `assign` says where it works.
    """

    def __init__(self, workdir: str | None, environ: dict[str, str]) -> None:
        super().__init__()
        self._ready, ready = os.pipe()
        place, self._place = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            become_kernel(str(self.connection_file), workdir, environ, ready, place)
        os.close(ready)
        os.close(place)
        with suppress(OSError):
            os.setpgid(self.pid, self.pid)
        self.pidfd = os.pidfd_open(self.pid)

    def assign(self, workdir: str, environ: dict[str, str], log: str) -> None:
        """Tell a waiting kernel its working folder, its environment and its log file."""
        message = json.dumps({"workdir": workdir, "environ": environ, "log": log})
        with suppress(BrokenPipeError), open(self._place, "wb") as pipe:
            pipe.write(message.encode("utf-8", "surrogateescape"))

    def wait_ready(self) -> bool:
        readable, _, _ = select.select([self._ready], [], [], BOOT)
        up = bool(readable) and os.read(self._ready, 1) == b"1"
        os.close(self._ready)
        return up

    def poll(self) -> int | None:
        if self.status is None:
            with stops.held():
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def interrupt(self) -> None:
        self.interrupted = True
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGINT)  # `poll` may be what is interrupted here

    async def gone(self) -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self.pidfd, _resolve, done)
        try:
            await done
        finally:
            loop.remove_reader(self.pidfd)

    def end(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while self.poll() is None:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.pidfd], [], [], left)[0]:
                self.send_signal(signal.SIGKILL)
                deadline = time.monotonic() + LEAVE
        shutil.rmtree(self.folder, ignore_errors=True)


class KeptKernel(WarmKernel):
    """A kernel that the zygote of its environment forked: see `perijove.runner.environment`."""

    def __init__(
        self, zygote: str, workdir: str, environ: dict[str, str], log: Path, record: Path
    ) -> None:
        """`record` is where its keeper says who it is.

        Raises
        ------
        OSError: the zygote does not answer.
        """
        super().__init__()
        self._heard = b""
        self._ready = False
        self._keeper = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._keeper.settimeout(BOOT)
        request = {
            "connection_file": str(self.connection_file),
            "workdir": workdir,
            "environ": environ,
            "log": str(log),
            "record": str(record),
        }
        try:
            self._keeper.connect(zygote)
            self._keeper.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            self._free()
            raise

    def wait_ready(self) -> bool:
        deadline = time.monotonic() + BOOT
        while not self._ready and self.status is None:
            if not self._hear(deadline - time.monotonic()):
                break
        return self._ready and self.status is None

    def poll(self) -> int | None:
        while self.status is None and self._hear(0):
            continue
        return self.status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            self._say(number)

    def interrupt(self) -> None:
        self.interrupted = True
        self._say(signal.SIGINT)

    async def gone(self) -> None:
        loop = asyncio.get_running_loop()
        while self.poll() is None:
            more: asyncio.Future[None] = loop.create_future()
            loop.add_reader(self._keeper.fileno(), _resolve, more)
            try:
                await more
            finally:
                loop.remove_reader(self._keeper.fileno())

    def end(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while self.status is None and self._hear(deadline - time.monotonic()):
            continue
        if self.status is None:
            # the keeper ends the kernel when it hears no more of this runner, and goes itself
            with suppress(OSError):
                self._keeper.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + LEAVE
            while self.status is None and self._hear(deadline - time.monotonic()):
                continue
            self.status = -signal.SIGKILL if self.status is None else self.status
        self._free()

    def _free(self) -> None:
        self._keeper.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _say(self, number: int) -> None:
        with suppress(OSError):
            self._keeper.sendall(json.dumps({"signal": number}).encode() + b"\n")

    def _hear(self, patience: float) -> bool:
        """Take in what the keeper says within `patience` seconds; False: nothing came."""
        if not select.select([self._keeper], [], [], max(0.0, patience))[0]:
            return False
        with stops.held():
            data = b""
            with suppress(OSError):
                data = self._keeper.recv(1 << 16)
            *lines, self._heard = (self._heard + data).split(b"\n")
            for message in map(json.loads, lines):
                self._ready = self._ready or "ready" in message
                self.status = message.get("exited", self.status)
            if not data and self.status is None:
                self.status = -signal.SIGKILL  # the keeper was killed, and the kernel with it
        return True


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
