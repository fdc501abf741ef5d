"""The zygotes of environments on one machine: started at first use, a few at a time.

Hubs and nodes have a pool of their own. A zygote ends with the pool that started it; the kernels
that it forked live on.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

import perijove.runner
from perijove.models.attempts import PLACE, SPEC, AttemptPlace, AttemptSpec
from perijove.models.processes import runtime_dir

SCRIPT = Path(perijove.runner.__file__).with_name("environment.py")
MOST = 4
"""Zygotes kept at once; the one that was not used for longest makes room."""
IDLE = 600.0
"""Seconds after which one that was not used ends."""


@dataclass
class _Zygote:
    process: subprocess.Popen[bytes]
    control: socket.socket
    path: str
    used: float = field(default_factory=time.monotonic)

    def end(self) -> None:
        self.control.close()
        with suppress(OSError):
            os.unlink(self.path)
        threading.Thread(target=self.process.wait, daemon=True).start()


class EnvironmentZygotes:
    """Thread-safe, and never waits."""

    def __init__(
        self,
        preload: Sequence[str],
        log_file: Path | None = None,
        most: int = MOST,
        idle: float = IDLE,
    ) -> None:
        """`log_file` takes what they say; None: where this process says it."""
        self._preload = preload
        self._log_file = log_file
        self._most = most
        self._idle = idle
        self._folder: Path | None = None
        self._zygotes: dict[str, _Zygote] = {}
        self._made = 0
        self._lock = threading.Lock()

    def warm(self, python: str) -> str | None:
        """The socket of the zygote of this interpreter; None: there can be none.

        It may just be starting: who connects is answered as soon as it can fork a kernel.
        """
        if sys.platform != "linux":
            return None
        with self._lock:
            self._sweep()
            found = self._zygotes.pop(python, None)
            if found is None or found.process.poll() is not None:
                if found is not None:
                    found.end()
                while len(self._zygotes) >= self._most:
                    self._zygotes.pop(next(iter(self._zygotes))).end()
                try:
                    found = self._start(python)
                except OSError:
                    return None
            found.used = time.monotonic()
            self._zygotes[python] = found  # the last one used is the last one here
            return found.path

    def forget(self, python: str) -> None:
        """End the zygote of an environment that is about to be removed."""
        with self._lock:
            found = self._zygotes.pop(python, None)
            if found is not None:
                found.end()

    def sweep(self) -> None:
        """End those that were not used lately."""
        with self._lock:
            self._sweep()

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            for found in self._zygotes.values():
                found.end()
            self._zygotes.clear()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    def _sweep(self) -> None:
        limit = time.monotonic() - self._idle
        for python in [key for key, found in self._zygotes.items() if found.used < limit]:
            self._zygotes.pop(python).end()

    def _start(self, python: str) -> _Zygote:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="z", dir=runtime_dir()))
        self._made += 1
        path = str(self._folder / str(self._made))
        ours, theirs = socket.socketpair()
        environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        with (
            theirs,
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
            nullcontext() if self._log_file is None else self._log_file.open("ab") as output,
        ):
            listener.bind(path)
            os.chmod(path, 0o600)
            listener.listen(64)
            try:
                process = subprocess.Popen(
                    [
                        *(python, str(SCRIPT)),
                        *("--listen-fd", str(listener.fileno())),
                        *("--control-fd", str(theirs.fileno())),
                        *("--preload", ",".join(self._preload)),
                    ],
                    pass_fds=[listener.fileno(), theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=environ,
                    start_new_session=True,
                )
            except OSError:
                ours.close()
                raise
        return _Zygote(process, ours, path)


def warm_attempt(
    zygotes: EnvironmentZygotes | None,
    folder: Path,
    node: str = "",
    environ: dict[str, str] | None = None,
) -> bool:
    """Write into an attempt's folder where it runs; has its environment a zygote of its own?"""
    python = AttemptSpec.model_validate_json((folder / SPEC).read_text()).python
    zygote = None if zygotes is None or python is None else zygotes.warm(python)
    if zygote is not None or node:
        place = AttemptPlace(node=node, environ=environ or {}, zygote=zygote)
        (folder / PLACE).write_text(place.model_dump_json())
    return zygote is not None
