"""The zygote of an environment: a process of its Python that forks kernels for runners.

``PYTHON …/perijove/runner/environment.py --listen-fd N --control-fd M --preload numpy,pandas``
runs in a Python that has ipykernel and nothing of ours: a runner is of the hub's Python always,
only the kernel is of the environment's. A few modules of ours are loaded from beside this file,
and hidden again, so that user code sees what an ordinary kernel would show it.

A runner connects to the Unix socket N and speaks JSON, one message a line::

    runner → keeper  {"connection_file": "…", "workdir": "…", "environ": {…}, "log": "…",
                      "record": "…"}
                     {"signal": 2}
    keeper → runner  {"pid": 4711}  {"ready": true}  {"exited": 0}

The *keeper* is forked for each connection. It is the kernel's parent, outlives the zygote, and
ends the kernel and all that it has started when the runner's connection ends. The zygote itself
ends when its control socket M is closed.
"""

from __future__ import annotations

import sys

SCRIPT_FOLDER = sys.path.pop(0)

import argparse  # noqa: E402
import gc  # noqa: E402
import importlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import select  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import threading  # noqa: E402
import types  # noqa: E402
from contextlib import suppress  # noqa: E402
from typing import Any, NoReturn  # noqa: E402


def _show_ours() -> None:
    """Let this folder's modules be found, whatever `perijove` the environment may have."""
    for name, folder in (
        ("perijove", os.path.dirname(SCRIPT_FOLDER)),
        ("perijove.runner", SCRIPT_FOLDER),
    ):
        module = sys.modules[name] = types.ModuleType(name)
        module.__path__ = [folder]


def _hide_ours() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "perijove"]:
        del sys.modules[name]


_show_ours()
from perijove.runner import state  # noqa: E402
from perijove.runner.forking import (  # noqa: E402
    PR_SET_CHILD_SUBREAPER,
    become_kernel,
    prctl,
)
from perijove.runner.installed import Installed  # noqa: E402
from perijove.runner.kernelapp import note_modules  # noqa: E402
from perijove.runner.modules import KERNEL_MODULES, load, rehearse_kernel  # noqa: E402
from perijove.runner.paths import LENT  # noqa: E402

_hide_ours()

REQUEST_PATIENCE = 10.0
"""Seconds a runner has to say what it wants."""


class EnvironmentZygote:
    """Serves the runners of one machine."""

    def __init__(self, listener: socket.socket, control: socket.socket, modules: list[str]) -> None:
        self._listener = listener
        self._control = control
        self._modules = modules
        self._installed = Installed()
        self._signals, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(self._signals, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def preload(self) -> None:
        """Import what there is of the modules, serving in between."""
        for name in KERNEL_MODULES:
            with suppress(ImportError):
                importlib.import_module(name)
        self._settle()
        for name in self._modules:
            self.serve(block=False)
            try:
                load(name)
            except (Exception, SystemExit):
                continue
            if threading.active_count() > 1:
                # a fork would be without them: begin anew, without this module
                self._begin_anew([module for module in self._modules if module != name])
            state.watch_pools()
            self._settle()
        with suppress(ImportError):
            rehearse_kernel()
        gc.collect()
        self._settle()

    def _settle(self) -> None:
        self._installed.note()
        note_modules()
        gc.freeze()

    def serve(self, block: bool = True) -> None:
        """Answer who has come; with `block`, for ever."""
        while True:
            waiting: list[Any] = [self._listener, self._control, self._signals]
            readable, _, _ = select.select(waiting, [], [], None if block else 0)
            if self._signals in readable:
                with suppress(BlockingIOError):
                    os.read(self._signals, 4096)
                self._reap()
            if self._control in readable:
                self._go()  # nothing is ever said there: it was closed
            if self._listener in readable:
                self._accept()
            elif not block:
                return

    def _accept(self) -> None:
        if self._installed.changed():
            self._begin_anew(self._modules)  # who waits is answered then
        connection, _ = self._listener.accept()
        with connection, suppress(OSError):  # no fork to be had: the runner sees the end
            if os.fork() == 0:
                _keep(connection.detach())

    def _go(self) -> NoReturn:
        path = self._listener.getsockname()
        with suppress(OSError):
            os.unlink(path)
        with suppress(OSError):  # other zygotes have theirs there too
            os.rmdir(os.path.dirname(path))
        os._exit(0)

    def _begin_anew(self, modules: list[str]) -> NoReturn:
        """Be a new zygote, with the same pid and sockets."""
        descriptors = [self._listener.fileno(), self._control.fileno()]
        for descriptor in descriptors:
            os.set_inheritable(descriptor, True)
        listen, control = map(str, descriptors)
        options = ["--listen-fd", listen, "--control-fd", control, "--preload", ",".join(modules)]
        command = [sys.executable, os.path.abspath(__file__), *options]
        os.execve(sys.executable, command, state.origin.environ)  # noqa: S606

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue


def _keep(descriptor: int) -> NoReturn:
    """The keeper's side of the fork."""
    try:
        os.setsid()
        state.close_files(keep=(descriptor,))
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        Keeper(socket.socket(fileno=descriptor)).run()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(0)


class Keeper:
    """The parent of one kernel."""

    def __init__(self, runner: socket.socket) -> None:
        self._runner = runner
        self._heard = b""

    def run(self) -> None:
        """Fork the kernel and stay until it has ended, or is to."""
        self._runner.settimeout(REQUEST_PATIENCE)
        while b"\n" not in self._heard:
            if not (data := self._runner.recv(1 << 16)):
                return
            self._heard += data
        request = self._next()
        assert request is not None
        self._write_record(request["record"])
        ready, bound = os.pipe()
        null = os.open(os.devnull, os.O_RDONLY)
        pid = os.fork()
        if pid == 0:
            log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            become_kernel(
                request["connection_file"], request["workdir"], request["environ"], bound, null
            )
        os.close(bound)
        with suppress(OSError):
            os.setpgid(pid, pid)
        self._say({"pid": pid})
        self._follow(pid, ready)

    def _follow(self, pid: int, ready: int) -> None:
        kernel = os.pidfd_open(pid)
        watched: list[Any] = [self._runner, kernel, ready]
        while True:
            readable, _, _ = select.select(watched, [], [])
            if ready in readable:
                watched.remove(ready)
                if os.read(ready, 1) == b"1":
                    self._say({"ready": True})
            if kernel in readable:
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                _leave_nothing()
                self._say({"exited": status})
                return
            if self._runner in readable:
                data = b""
                with suppress(OSError):
                    data = self._runner.recv(1 << 16)
                if not data:
                    os.killpg(pid, signal.SIGKILL)
                    _leave_nothing()
                    return
                self._heard += data
                while (message := self._next()) is not None:
                    with suppress(ProcessLookupError, PermissionError):
                        os.killpg(pid, int(message["signal"]))

    def _next(self) -> dict[str, Any] | None:
        line, newline, rest = self._heard.partition(b"\n")
        if not newline:
            return None
        self._heard = rest
        message: dict[str, Any] = json.loads(line)
        return message

    def _say(self, message: dict[str, Any]) -> None:
        with suppress(OSError):
            self._runner.sendall(json.dumps(message).encode() + b"\n")

    def _write_record(self, path: str) -> None:
        """Who this is, before there is a kernel: see `perijove.models.attempts`."""
        with open(f"/proc/{os.getpid()}/stat") as file:
            started = float(file.read().rpartition(")")[2].split()[19])
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read().strip()
        with open(f"{path}.partial", "w") as file:
            json.dump({"pid": os.getpid(), "start_time": started, "boot_id": boot}, file)
        os.replace(f"{path}.partial", path)


def _leave_nothing() -> None:
    """End what the kernel has started and left: this process has inherited it."""
    while True:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            listed = file.read().split()
        if not listed:
            return
        for pid in map(int, listed):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen-fd", type=int, required=True)
    parser.add_argument("--control-fd", type=int, required=True)
    parser.add_argument("--preload", default="")
    options = parser.parse_args()
    os.environ.update({**state.QUIET_THREADS, **os.environ, **state.SINGLE_THREAD})
    for path in (sys.path, state.origin.path):
        path.append(LENT)
    zygote = EnvironmentZygote(
        socket.socket(fileno=options.listen_fd),
        socket.socket(fileno=options.control_fd),
        [name for name in options.preload.split(",") if name],
    )
    zygote.preload()
    zygote.serve()


if __name__ == "__main__":
    main()
