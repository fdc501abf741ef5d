"""Storms: jobs are submitted while faults come as a seed says, and what they break is mended."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from chaos.oracle import Oracle, kill
from conftest import command
from perijove.client.jobs import _body, to_json
from perijove.errors import PerijoveError

Mend = Callable[[], object]
Fault = Callable[[random.Random], tuple[float, Mend] | None]
"""Breaks something; says after how many seconds it is mended, and how."""


def submit(oracle: Oracle, path: Path, **fields: object) -> str:
    """Submit until it is accepted, under one id: what a careful client does."""
    body = _body(path, None, fields) | {"id": str(uuid4())}
    deadline = time.monotonic() + 60
    while True:
        try:
            found = oracle.ws.client.request("POST", "/jobs", content=to_json(body))
            return str(found["id"])
        except PerijoveError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def killing(pids: Callable[[], Sequence[int]]) -> Fault:
    """Kill -9 one of them."""

    def strike(rng: random.Random) -> None:
        if victims := pids():
            kill(rng.choice(victims))

    return strike


def scaling(oracle: Oracle, name: str) -> Fault:
    """Give a cluster fewer nodes, or more."""

    def strike(rng: random.Random) -> None:
        with suppress(PerijoveError):  # the hub may be away
            oracle.ws.compute.get(name).scale(max_nodes=rng.choice((1, 2)))

    return strike


def inner(processes: Sequence[psutil.Process]) -> dict[int, int]:
    """Their pids here, by the pids they have where they run."""
    found = {}
    for process in processes:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            continue
        line = next(line for line in status.splitlines() if line.startswith("NSpid:"))
        found[int(line.split()[-1])] = process.pid
    return found


def commands(processes: Sequence[psutil.Process], *needles: str) -> list[int]:
    """Pids of those whose command line has all needles."""
    found = [(process.pid, command(process)) for process in processes]
    return [pid for pid, line in found if line and all(needle in line for needle in needles)]


class Storm:
    """One fault every `every` seconds, each kind `rounds` times."""

    def __init__(self, faults: Mapping[str, Fault], every: float, seed: int, rounds: int) -> None:
        self._faults, self._every, self._rounds = faults, every, rounds
        self._rng = random.Random(seed)
        self._mends: list[tuple[float, str, Mend]] = []
        self._began = time.monotonic()

    def blow(self, over: threading.Event) -> None:
        """Until it is over, or all have come; then everything is mended.

        What starts machines must be the main thread: they end with the thread that started them.
        """
        try:
            for _ in range(self._rounds):
                for name in self._rng.sample(sorted(self._faults), len(self._faults)):
                    self._pause(over, self._rng.uniform(0.5, 1.5) * self._every)
                    if over.is_set():
                        break
                    self._say(name)
                    if (broken := self._faults[name](self._rng)) is not None:
                        seconds, mend = broken
                        self._mends.append((time.monotonic() + seconds, name, mend))
            while self._mends and not over.is_set():
                self._pause(over, 1)
        finally:
            self._mend(float("inf"))

    def _pause(self, over: threading.Event, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not over.wait(0.2) and time.monotonic() < until:
            self._mend(time.monotonic())

    def _mend(self, now: float) -> None:
        due = [mend for mend in self._mends if mend[0] <= now]
        for broken in sorted(due, key=lambda mend: mend[0]):
            self._mends.remove(broken)
            self._say(f"over: {broken[1]}")
            broken[2]()

    def _say(self, text: str) -> None:
        # pytest shows it of a test that fails
        print(f"{time.monotonic() - self._began:6.1f} s  {text}", flush=True)


def storm(
    oracle: Oracle,
    faults: Mapping[str, Fault],
    targets: Sequence[str],
    count: int,
    every: float,
    seed: int,
    rounds: int = 12,
    seconds: float = 300,
) -> list[dict[str, Any]]:
    """Submit `count` jobs to the targets in turn, in a storm; verify, and return them.

    The storm ends after so many `rounds`: on a slow machine nothing would else come to its end.
    `seconds` is the time that they have, beside three for each.
    """
    path = oracle.notebook("import time; time.sleep(1)")
    over = threading.Event()
    submitted: list[str] = []

    def use() -> None:
        for number in range(count):
            target = targets[number % len(targets)]
            submitted.append(submit(oracle, path, retries=3, compute=target))
        deadline = time.monotonic() + 3 * count + seconds
        while time.monotonic() < deadline:
            try:
                if all(job.data.state.terminal for job in oracle.ws.jobs.list(limit=1000)):
                    return
            except PerijoveError:
                pass
            time.sleep(0.5)

    with ThreadPoolExecutor(1) as user:
        used = user.submit(use)
        used.add_done_callback(lambda _: over.set())
        Storm(faults, every, seed, rounds).blow(over)
        used.result()
    jobs = oracle.verify(set(submitted), seconds=seconds)
    assert len(jobs) == count
    tried = [f"{job['state']} ({job['reason']}) at {job['attempt']}" for job in jobs]
    print(*(f"{tried.count(line)} times {line}" for line in sorted(set(tried))), sep="\n")
    assert "succeeded" in {job["state"] for job in jobs}
    return jobs
