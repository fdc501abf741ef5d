"""What a node's attempts use. Runners are detached from the worker: Dask does not see them."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import psutil

from perijove.models.attempts import KEEPER, RunnerProcess

EVERY = 2.0
"""Seconds that figures hold: a heartbeat asks twice a second, and a look costs 15 ms and more."""


class Usage:
    """Sums CPU and memory of the process trees of runners."""

    def __init__(self) -> None:
        self._runners: dict[int, Path] = {}
        self._lock = threading.Lock()
        self._spent: dict[tuple[int, float], float] = {}
        self._at = time.monotonic()
        self._figures: dict[str, float] = {}

    def add(self, runner: int, folder: Path) -> None:
        """A runner began with the attempt in `folder`."""
        with self._lock:
            self._runners[runner] = folder

    def remove(self, runner: int) -> None:
        """A runner ended."""
        with self._lock:
            self._runners.pop(runner, None)

    def figures(self) -> dict[str, float]:
        """``cpu``: percent of one CPU since the last look; ``memory``: bytes, PSS."""
        now = time.monotonic()
        seconds = now - self._at
        if self._figures and seconds < EVERY:
            return self._figures
        with self._lock:
            runners = dict(self._runners)
        spent, used, memory = {}, 0.0, 0
        for process in _trees(runners):
            try:
                times = process.cpu_times()
                key = (process.pid, process.create_time())
                memory += _proportional(process.pid)
            except (psutil.Error, OSError):
                continue
            spent[key] = times.user + times.system
            used += max(0.0, spent[key] - self._spent.get(key, 0.0))
        self._at, self._spent = now, spent
        self._figures = {"cpu": 100 * used / max(0.1, seconds), "memory": float(memory)}
        return self._figures


def _trees(runners: dict[int, Path]) -> list[psutil.Process]:
    found = []
    for runner, folder in runners.items():
        for pid in (runner, _keeper(folder)):
            try:
                process = psutil.Process(pid)
                found += [process, *process.children(recursive=True)]
            except (psutil.Error, ValueError):
                continue
    return found


def _keeper(folder: Path) -> int:
    """Who keeps the attempt's kernel, if its runner does not; -1: nobody."""
    try:
        return RunnerProcess.model_validate_json((folder / KEEPER).read_text()).pid
    except (OSError, ValueError):
        return -1


def _proportional(pid: int) -> int:
    """Bytes a process has, of what it shares its part."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
