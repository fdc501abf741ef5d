"""ipykernel's application in a fork: all that it is, without a look at all there is in memory.

A page that is touched after a fork is copied first. The names of all modules, and all loggers, lie
on a thousand pages each, and a parser of command lines makes new ones: half of what it costs to
bring a kernel up, for lists that nobody reads and options that are known.

Only the standard library and ipykernel are imported here: see `perijove.runner.forking`.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from typing import Any

SWITCH = 0.0005
"""Seconds between two thread switches while a kernel boots: its threads wait for each other."""

_preloaded: frozenset[str] = frozenset()


def note_modules() -> None:
    """What is imported now is what a kernel that is forked later begins with."""
    global _preloaded
    _preloaded = frozenset(sys.modules)


def initialized(connection_file: str, parent: int, job: bool) -> Any:
    """An application as ``ipykernel_launcher -f CONNECTION_FILE`` has it, with its sockets bound.

    It ends with the process `parent`; 0: with nobody. The kernel of a `job` has a history of its
    own, in memory, as nbclient starts it, and nobody debugs it.
    """
    from ipykernel.kernelapp import IPKernelApp
    from traitlets.config import Config

    options = ["-f", connection_file]
    known = Config(IPKernelApp={"connection_file": connection_file, "parent_handle": parent})
    if job:
        options.append("--HistoryManager.hist_file=:memory:")
        known.HistoryManager.hist_file = ":memory:"
    sys.argv = ["ipykernel_launcher", *options]
    gc.disable()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    app = IPKernelApp.instance()
    # of this instance only: what user code sees is ipykernel's own class
    app._configure_logging = partial(_configure_logging, app)
    app.parse_command_line = partial(_take_options, app, known)
    with _few_modules(debugger_too=job):
        app.initialize(options)
    app.shell._sys_modules_keys = _preloaded or frozenset(sys.modules)
    sys.setswitchinterval(interval)
    gc.enable()
    return app


def _take_options(app: Any, known: Any, argv: list[str]) -> None:
    """As `Application.parse_command_line`, of options that need no parser."""
    app.argv = argv
    app.cli_config = deepcopy(known)
    app.update_config(app.cli_config)
    app.extra_args = []


def _configure_logging(app: Any) -> None:
    """As `Application._configure_logging`, but straight at the application's own logger."""
    if app.logging_config:
        type(app)._configure_logging(app)
        return
    handler = logging.StreamHandler()
    handler.setLevel(app.log_level)
    handler.setFormatter(app._log_formatter_cls(app.log_format, app.log_datefmt))
    logger = logging.getLogger(type(app).__name__)
    logger.level = logging.DEBUG  # `setLevel` makes all loggers forget what they know of levels
    logger.handlers[:] = [handler]
    app._logging_configured = True


class _FewModules:
    """``sys``, but for its modules."""

    def __init__(self) -> None:
        self.__dict__["modules"] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(sys, name, value)


@contextmanager
def _few_modules(debugger_too: bool) -> Iterator[None]:
    """IPython lists the names of all modules, for a ``%reset`` that forgets what was imported
    since, and ipykernel their files, for its debugger to skip."""
    from ipykernel import ipkernel
    from IPython.core import shellapp

    readers = [shellapp, ipkernel] if debugger_too else [shellapp]
    for reader in readers:
        reader.sys = _FewModules()
    try:
        yield
    finally:
        for reader in readers:
            reader.sys = sys


class FilesOfModules(dict[str, str]):
    """What `inspect` knows, and that cells are no modules. It would look through all modules for
    each frame of a traceback: with thousands of them, an endless recursion takes a minute."""

    def __init__(self, known: dict[str, str]) -> None:
        super().__init__(known)
        self._cells = f"{os.sep}ipykernel_{os.getpid()}{os.sep}"

    def __contains__(self, file: object) -> bool:
        return self._cells in str(file) or super().__contains__(file)

    def __missing__(self, file: str) -> str:
        return ""
