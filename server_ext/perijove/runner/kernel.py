"""Kernels: forked from the runner where that is possible, started the ordinary way elsewhere.

A forked kernel is an ordinary ipykernel in every respect a notebook can see, except that its
modules are already in memory. It is forked before the runner has a thread or a ZeroMQ context,
boots while the runner prepares the notebook, and talks over ``ipc://`` sockets.
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import gc
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, NoReturn
from uuid import uuid4

from perijove.models.processes import runtime_dir
from perijove.runner.state import close_files, restore, restore_pools
from perijove.runner.stops import stops

BOOT = 10.0
"""Seconds a forked kernel has to come up before an ordinary one is started instead."""
LEAVE = 10.0
"""Seconds a kernel has to end by itself: user code's atexit handlers run in them."""
LEAVE_INTERRUPTED = 3.0
"""The same after the job was canceled or its time is over."""
SWITCH = 0.0005
"""Seconds between two thread switches while a kernel boots: its threads wait for each other."""
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def prctl(option: int, value: int) -> None:
    """Linux's prctl; nothing elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def can_fork(spec: dict[str, Any], python: str) -> bool:
    """Is this kernelspec plainly the ipykernel of this very interpreter? In doubt: no."""
    argv = [str(part) for part in spec.get("argv", [])]
    return (
        sys.platform == "linux"
        and spec.get("language") == "python"
        and os.path.abspath(python) == os.path.abspath(sys.executable)
        and [part for part in argv[1:] if part != "-Xfrozen_modules=off"]
        == ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
        and not spec.get("env")
        and spec.get("interrupt_mode", "signal") == "signal"
        and "kernel_provisioner" not in (spec.get("metadata") or {})
    )


class ForkedKernel:
    """A kernel that is a child of this process.

    Without `workdir` it comes up and waits until `assign` says where it works.
    """

    def __init__(self, workdir: str | None, environ: dict[str, str]) -> None:
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
        self._ready, ready = os.pipe()
        place, self._place = os.pipe()
        self.status: int | None = None
        self.interrupted = False
        self.pid = os.fork()
        if self.pid == 0:
            _become_kernel(str(self.connection_file), workdir, environ, ready, place)
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
        """Wait until its sockets are bound; False: it does not come up."""
        readable, _, _ = select.select([self._ready], [], [], BOOT)
        up = bool(readable) and os.read(self._ready, 1) == b"1"
        os.close(self._ready)
        return up

    def poll(self) -> int | None:
        """None while it lives, else its exit code (negative: the signal)."""
        if self.status is None:
            with stops.held():
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def send_signal(self, number: int) -> None:
        """To the kernel's process group, while it lives."""
        if self.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def interrupt(self) -> None:
        """End what runs now: a KeyboardInterrupt in the cell."""
        self.interrupted = True
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGINT)  # `poll` may be what is interrupted here

    async def gone(self) -> None:
        """Return when it has ended."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self.pidfd, _resolve, done)
        try:
            await done
        finally:
            loop.remove_reader(self.pidfd)

    def end(self, patience: float) -> None:
        """Wait `patience` seconds for its end, then kill it; free what it had."""
        deadline = time.monotonic() + patience
        while self.poll() is None:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.pidfd], [], [], left)[0]:
                self.send_signal(signal.SIGKILL)
                deadline = time.monotonic() + LEAVE
        shutil.rmtree(self.folder, ignore_errors=True)


def _become_kernel(
    connection_file: str, workdir: str | None, environ: dict[str, str], ready: int, place: int
) -> NoReturn:
    """The child's side of the fork: forget the runner, be an ipykernel."""
    code = 1
    try:
        os.setpgid(0, 0)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        close_files(keep=(ready, place))
        os.set_inheritable(ready, False)
        restore(environ | {"JPY_PARENT_PID": str(os.getppid())})
        restore_pools(environ)
        if workdir is not None:
            os.chdir(workdir)
        # as nbclient starts a kernel: its history is its own and in memory
        options = ["-f", connection_file, "--HistoryManager.hist_file=:memory:"]
        sys.argv = ["ipykernel_launcher", *options]
        from ipykernel.kernelapp import IPKernelApp

        gc.disable()
        interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH)
        app = IPKernelApp.instance()
        with _few_modules():
            app.initialize([*options, f"--IPKernelApp.parent_handle={os.getppid()}"])
        sys.setswitchinterval(interval)
        gc.enable()
        os.write(ready, b"1")
        os.close(ready)
        with open(place, "rb") as pipe:
            if workdir is None:
                _take_place(app.shell, environ, json.loads(pipe.read()))
        app.start()
        code = 0
        # it would close its channels in order, and now and then wait 10 s for a thread it has
        # just stopped; whoever listened has got everything
        atexit.unregister(app.close)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
    except BaseException:
        import traceback

        os.write(raw(2, sys.stderr), traceback.format_exc().encode())
    finally:
        leave(code)


def _take_place(shell: Any, before: dict[str, str], place: dict[str, Any]) -> None:
    """Be as if started in the attempt's folder, with its environment and log."""
    log = os.open(place["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        os.dup2(log, raw(number, stream))
    os.close(log)
    os.chdir(place["workdir"])
    environ: dict[str, str] = place["environ"]
    for name in before.keys() - environ.keys():
        os.environ.pop(name, None)
    os.environ.update({k: v for k, v in environ.items() if before.get(k) != v})
    shell.starting_dir = os.getcwd()
    shell.history_manager.dir_hist[:] = [Path.cwd()]


def raw(number: int, stream: Any) -> int:
    """The descriptor of stdout or stderr behind ipykernel's capture, if that is on."""
    copy = getattr(stream, "_original_stdstream_copy", None)
    return number if copy is None else int(copy)


class _FewModules:
    """``sys``, but for its modules."""

    modules: ClassVar[dict[str, Any]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


@contextmanager
def _few_modules() -> Iterator[None]:
    """ipykernel lists the files of all modules, for its debugger to skip. That touches every
    module there is, and each page touched after a fork is a page copied: 20 ms for a list that
    a job, which nobody debugs, does not need."""
    from ipykernel import ipkernel

    ipkernel.sys = _FewModules()
    try:
        yield
    finally:
        ipkernel.sys = sys


def leave(code: int) -> NoReturn:
    """End as an interpreter does: threads joined, atexit handlers run, streams flushed."""
    with suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
    with suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.__stdout__, sys.__stderr__):
        with suppress(BaseException):
            stream.flush()  # type: ignore[union-attr]
    os._exit(code)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
