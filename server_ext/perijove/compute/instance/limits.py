"""CPU and memory limits by control groups, where this process may make them.

Version 2 (one tree) and version 1 (a tree for each controller) are known. What is in force, and
what is not and why, is said in words.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PERIOD = 100_000
"""Microseconds over which a CPU limit is counted; the kernel's default."""


class Limits:
    """A control group named after an instance."""

    def __init__(self, name: str, cpus: int, memory: int | None) -> None:
        self._name = f"perijove-{name}"
        self._cpus = cpus
        self._memory = memory
        self._groups: list[Path] = [path for _, path in self._places() if path.is_dir()]
        self.said = self._say([]) if self._groups else "not in force yet"

    def _places(self) -> Iterator[tuple[str, Path]]:
        if (ROOT / "cgroup.controllers").exists():
            yield "cpu memory", ROOT / (_own("") or "/").lstrip("/") / self._name
            return
        for controller in ("cpu", "memory"):
            here = _own(controller)
            if here is not None:
                yield controller, ROOT / controller / here.lstrip("/") / self._name

    def apply(self, pid: int) -> None:
        """Put the process, and what it will start, under the limits."""
        failed, self._groups = [], []
        for controllers, path in self._places():
            try:
                path.mkdir(exist_ok=True)
                for name, value in self._settings(controllers, path):
                    (path / name).write_text(value)
                (path / "cgroup.procs").write_text(str(pid))
                self._groups.append(path)
            except OSError as error:
                with suppress(OSError):
                    path.rmdir()
                failed.append(f"{controllers}: {error.strerror or error}")
        if not self._groups and not failed:
            failed.append("this system has no control groups")
        self.said = self._say(failed)

    def _settings(self, controllers: str, path: Path) -> Iterator[tuple[str, str]]:
        if controllers == "cpu memory":
            yield "cpu.max", f"{self._cpus * PERIOD} {PERIOD}"
            if self._memory is not None:
                yield "memory.max", str(self._memory)
        elif controllers == "cpu":
            yield "cpu.cfs_period_us", str(PERIOD)
            yield "cpu.cfs_quota_us", str(self._cpus * PERIOD)
        elif self._memory is not None:
            yield "memory.limit_in_bytes", str(self._memory)

    def _say(self, failed: list[str]) -> str:
        wished = f"{self._cpus} CPU{'s' * (self._cpus != 1)}"
        if self._memory is not None:
            wished += f", {self._memory >> 20} MiB"
        if failed:
            return f"not enforced ({'; '.join(failed)})"
        return f"enforced by control groups: {wished}"

    def pids(self) -> list[int]:
        """Processes under the limits."""
        found: set[int] = set()
        for path in self._groups:
            with suppress(OSError):
                found |= {int(line) for line in (path / "cgroup.procs").read_text().split()}
        return sorted(found)

    def end(self) -> None:
        """Kill everything under the limits, and remove them."""
        deadline = time.monotonic() + 10
        while (left := self.pids()) and time.monotonic() < deadline:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        for path in self._groups:
            with suppress(OSError):
                path.rmdir()
        self._groups = []


def _own(controller: str) -> str | None:
    """The group of this process for a controller ("": version 2)."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, names, path = line.split(":", 2)
        if controller in names.split(",") or (controller == "" and names == ""):
            return path
    return None
