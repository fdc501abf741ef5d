"""The zygote: a single-threaded process that has imported the slow modules and forks runners.

``python -m perijove.runner.zygote --control-fd N --preload numpy,pandas`` speaks JSON over the
SOCK_SEQPACKET socket N, one message a packet::

    hub → zygote   {"id": 1, "fork": "attempt", "folder": "…", "kernel": true}
                   {"id": 2, "fork": "kernel", "folder": "…"}
                   {"id": 3, "fork": "task", "task": "render", "args": {…}, "result": "…"}
    zygote → hub   {"id": 1, "pid": 4711}            or {"id": 1, "error": "…"}
                   {"ready": "runner"}               it can fork from now on
                   {"ready": "pandas"}  {"skipped": "torch", "error": "…"}  {"ready": "all"}
                   {"exited": 4711, "status": 0}     a child ended, with its wait status
                   {"anew": true}                    it can fork nothing until it is ready again

It serves between two imports, so the first job does not wait for the last module. When the hub
closes the socket it ends; what it forked lives on.

What it has imported must be what is installed: when that has changed it refuses to fork, so that
the hub starts an ordinary process, and begins anew.
"""

from __future__ import annotations

from perijove.runner import state  # isort: skip - notes what this process looks like, first of all

import argparse
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from perijove.runner.installed import Installed
from perijove.runner.kernelapp import note_modules
from perijove.runner.lean import forget_lean_modules, import_papermill
from perijove.runner.modules import KERNEL_MODULES, load, rehearse_kernel
from perijove.runner.spare import Spare, fork_spare

RUNNER_MODULES = (
    "perijove.runner.attempt",
    "perijove.runner.interactive",
    "perijove.runner.notebook",
    "perijove.runner.engine",
    "perijove.runner.script",
    *KERNEL_MODULES,
)
SPARE_AFTER = 0.3
"""Seconds after a launch until the next spare is made, if no attempt ends before: the one that
begins wants the cores too."""
LATER_MODULES = (
    "httpx",
    "ipykernel.debugger",
    "jsonschema",
    "perijove.runner.tasks",
    "nbconvert",
)


class Zygote:
    """Serves one hub."""

    def __init__(self, control: socket.socket, modules: list[str], expect: float) -> None:
        self._control = control
        self._modules = modules
        self._expect = expect
        self._installed = Installed()
        self._complete = False
        self._spare: Spare | None = None
        self._spare_due: float | None = None
        self._signals, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(self._signals, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def preload(self) -> None:
        """Import everything, serving in between."""
        import_papermill()
        for name in RUNNER_MODULES:
            importlib.import_module(name)
        _rehearse()
        self._settle("runner")
        # a node that came up because a job waits runs that first, and imports beside it
        select.select([self._control], [], [], self._expect)
        self.serve(block=False)
        forget_lean_modules()
        for name in (*LATER_MODULES, *self._modules):
            self.serve(block=False)
            try:
                load(name)
            except (Exception, SystemExit) as error:
                self._say({"skipped": name, "error": f"{type(error).__name__}: {error}"[:500]})
                continue
            if threading.active_count() > 1:
                # a fork would be without them: begin anew, without this module
                self._say({"skipped": name, "error": "it starts threads when it is imported"})
                self._begin_anew([module for module in self._modules if module != name])
            state.watch_pools()
            self._settle(name)
        from perijove.runner.packages import our_packages
        from perijove.runner.pages import rehearse_render

        our_packages()
        self.serve(block=False)
        rehearse_render()
        _rehearse_job()
        gc.collect()
        self._settle("all")
        self._complete = True
        self._make_spare()

    def _settle(self, name: str) -> None:
        self._installed.note()
        note_modules()
        gc.freeze()
        self._say({"ready": name})

    def serve(self, block: bool = True) -> None:
        """Answer what has come; with `block`, for ever."""
        while True:
            waiting: list[Any] = [self._control, self._signals]
            readable, _, _ = select.select(waiting, [], [], self._patience() if block else 0)
            if not readable and self._spare_due is not None:
                self._make_spare()
            if self._signals in readable:
                with suppress(BlockingIOError):
                    os.read(self._signals, 4096)
                self._reap()
            if self._control in readable:
                data = b""
                with suppress(ConnectionResetError):  # it went away without reading everything
                    data = self._control.recv(1 << 16)
                if not data:
                    os._exit(0)
                self._answer(json.loads(data))
            elif not block:
                return

    def _answer(self, request: dict[str, Any]) -> None:
        if "ping" in request:
            self._say({"pong": request["ping"]})
            return
        if self._installed.changed():
            error = "what is installed has changed since it was imported"
            self._say({"id": request["id"], "error": error})
            self._begin_anew(self._modules)
        spare = request["fork"] == "attempt" and request.get("kernel", True)
        if spare and (pid := self._use_spare(request["folder"])):
            self._say({"id": request["id"], "pid": pid})
            return
        try:
            pid = os.fork()
        except OSError as error:
            self._say({"id": request["id"], "error": str(error)})
            return
        if pid == 0:
            self._child(request)
        self._say({"id": request["id"], "pid": pid})

    def _patience(self) -> float | None:
        """Seconds until a spare is due; None: none is."""
        return None if self._spare_due is None else max(0.0, self._spare_due - time.monotonic())

    def _use_spare(self, folder: str) -> int | None:
        """The pid of the spare that has the attempt now."""
        spare, self._spare = self._spare, None
        if self._complete:
            self._spare_due = time.monotonic() + SPARE_AFTER
        return spare.pid if spare is not None and spare.give(folder) else None

    def _make_spare(self) -> None:
        self._spare_due = None
        if self._spare is None:
            self._spare = fork_spare()

    def _child(self, request: dict[str, Any]) -> NoReturn:
        try:
            os.setsid()
            state.close_files()
            state.restore(state.origin.environ)
            if request["fork"] == "attempt":
                from perijove.runner.attempt import run_attempt

                run_attempt(Path(request["folder"]), warm=True)
            elif request["fork"] == "kernel":
                from perijove.runner.interactive import run_kernel

                run_kernel(Path(request["folder"]))
            else:
                from perijove.runner.tasks import run_task

                os.nice(5)
                run_task(request["task"], request["args"], Path(request["result"]))
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(0)

    def _begin_anew(self, modules: list[str]) -> NoReturn:
        """Be a new zygote, with the same pid, socket and children."""
        self._say({"anew": True})
        descriptor = self._control.fileno()
        os.set_inheritable(descriptor, True)
        os.execve(sys.executable, command(descriptor, modules), state.origin.environ)  # noqa: S606

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._spare is not None and pid == self._spare.pid:
                self._spare.close()
                self._spare = None
                continue
            self._say({"exited": pid, "status": status})
            if self._spare_due is not None:
                self._make_spare()  # a core is free now

    def _say(self, message: dict[str, Any]) -> None:
        try:
            self._control.send(json.dumps(message).encode())
        except OSError:
            os._exit(0)


def _rehearse() -> None:
    """Do once what is then remembered: compile the notebook schema, list entry points."""
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager

    nbformat.validate(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]))
    with suppress(Exception):  # no kernelspec of that name: every job will say so by itself
        KernelSpecManager().get_kernel_spec("python3")


def _rehearse_job() -> None:
    """What papermill does before it runs a notebook, and a kernel before a cell. Python remembers
    which classes are which, and patterns it has compiled, until the next module comes."""
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook
    from papermill.execute import execute_notebook

    code = new_code_cell("number = 1", metadata={"tags": ["parameters"]})
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=[code], metadata={"kernelspec": kernelspec})
    with suppress(Exception), tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "notebook.ipynb")
        nbformat.write(notebook, path)
        execute_notebook(path, None, {"number": 2}, prepare_only=True, progress_bar=False)
    rehearse_kernel()


def command(descriptor: int, modules: list[str]) -> list[str]:
    """The command line of a zygote."""
    options = ["--control-fd", str(descriptor), "--preload", ",".join(modules)]
    return [sys.executable, "-m", "perijove.runner.zygote", *options]


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--control-fd", type=int, required=True)
    parser.add_argument("--preload", default="")
    parser.add_argument("--expect", type=float, default=0, help="seconds to wait for a first job")
    options = parser.parse_args()
    # `-m` put the current folder first; a kernel's path must not have the hub's
    state.origin.path = sys.path[1:]
    sys.path[:] = sys.path[1:]
    os.environ.update(state.QUIET_THREADS | dict(os.environ) | state.SINGLE_THREAD)
    modules = [name for name in options.preload.split(",") if name]
    zygote = Zygote(socket.socket(fileno=options.control_fd), modules, options.expect)
    zygote.preload()
    zygote.serve()


if __name__ == "__main__":
    main()
