"""What a process looked like when it began, so that a fork can be made to look so again.

A zygote imports modules, pins BLAS to one thread and opens sockets; none of that may be visible
in the kernels that are forked from it.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

SINGLE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "ARROW_IO_THREADS"), "1"
)
"""BLAS libraries start their threads when they are loaded; a fork would not have them."""
QUIET_THREADS = {"OPENBLAS_THREAD_TIMEOUT": "18"}
"""OpenBLAS's threads, when a fork starts them, look for work for 2 to the power of so many cycles
before they sleep. By default that is 26, which keeps all cores busy while the kernel boots."""


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@dataclass
class Origin:
    """The interpreter as an ordinary process has it."""

    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    path: list[str] = field(default_factory=lambda: list(sys.path))
    umask: int = field(default_factory=_umask)
    pools: Any = None
    added: dict[str, str] = field(default_factory=dict)
    """What preloaded modules put into the environment, as they do wherever they are imported."""


origin = Origin()
"""Taken when this module is imported: before anything else is."""


def watch_pools() -> None:
    """Remember the BLAS libraries that are loaded now, to give forks their threads back, and
    what the modules have added to the environment."""
    known = origin.environ.keys() | SINGLE_THREAD.keys() | QUIET_THREADS.keys()
    origin.added = {key: value for key, value in os.environ.items() if key not in known}
    with suppress(ImportError):
        from threadpoolctl import ThreadpoolController

        origin.pools = ThreadpoolController()


def restore(environ: dict[str, str]) -> None:
    """In a fork: the environment, path, signals and random numbers of a new process."""
    os.environ.clear()
    os.environ.update(origin.added | environ)
    sys.path[:] = origin.path
    os.umask(origin.umask)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random.seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    gc.enable()


def restore_pools(environ: dict[str, str]) -> None:
    """In a kernel's fork: the BLAS threads of a new process. They start here and now."""
    if origin.pools is None:
        return
    for library in origin.pools.lib_controllers:
        asked = environ.get(f"{library.internal_api.upper()}_NUM_THREADS")
        asked = asked or environ.get("OMP_NUM_THREADS")
        count = int(asked) if asked and asked.isdigit() else len(os.sched_getaffinity(0))
        if library.num_threads != count:
            library.set_num_threads(count)


def close_files(keep: tuple[int, ...] = ()) -> None:
    """Close every descriptor but 0, 1, 2 and `keep`."""
    low = 3
    for descriptor in sorted(keep):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, 65536)
