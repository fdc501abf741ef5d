"""From a fork of a zygote to an ipykernel like any other.

Only the standard library and ipykernel are imported here: an environment's own Python, which has
nothing of ours, loads this module too.
"""

from __future__ import annotations

import atexit
import ctypes
import inspect
import json
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from perijove.runner.kernelapp import FilesOfModules, initialized
from perijove.runner.state import close_files, restore, restore_pools

MMAP_THRESHOLD, TRIM_THRESHOLD = (-3, 32 << 20), (-1, 64 << 20)
"""What glibc's allocator comes to after an array of 32 MiB was freed: numbers of mallopt, bytes."""
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def prctl(option: int, value: int) -> None:
    """Linux's prctl; nothing elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def keep_memory() -> None:
    """Let arrays of a few MiB take the memory of those before them. Until glibc has seen large
    ones it gives each back at once, and most of the time that it takes to draw a picture goes
    into new pages."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # it is glibc's
        mallopt(*MMAP_THRESHOLD)
        mallopt(*TRIM_THRESHOLD)


def become_kernel(
    connection_file: str, workdir: str | None, environ: dict[str, str], ready: int, place: int
) -> NoReturn:
    """The child's side of a fork: forget what was forked, be an ipykernel.

    It says `1` on `ready` when its sockets are bound. Without `workdir` it then waits for what
    comes from `place`.
    """
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
        keep_memory()
        if workdir is not None:
            os.chdir(workdir)
        app = initialized(connection_file, os.getppid(), job=True)
        inspect.modulesbyfile = FilesOfModules(getattr(inspect, "modulesbyfile", {}))
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
