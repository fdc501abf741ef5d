"""What changed in MLflow, told to those who follow: at most four times a second."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from perijove.errors import PerijoveError
from perijove.models.events import TrackingChange
from perijove.services.broker import Broker

PACE = 0.25
"""Seconds between two tellings."""
LOOK = 3.0
"""Seconds between two looks at a server that does not tell."""
KEPT = 200
"""Tellings that are kept for those who are late; who is later is told *everything*."""
IDS = 500
"""More ids of a kind than this are told as *everything*."""


class Changes:
    """A short list of changes, numbered."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._told: deque[tuple[int, TrackingChange]] = deque(maxlen=KEPT)
        self._gathered: list[TrackingChange] = []
        self._timer: asyncio.TimerHandle | None = None
        self._last = float("-inf")
        self.number = 0

    def add(self, change: TrackingChange) -> None:
        """Something changed; must be called in the loop."""
        if not (change.everything or change.runs or change.experiments or change.models):
            return
        self._gathered.append(change)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            when = max(loop.time(), self._last + PACE)
            self._timer = loop.call_at(when, self._tell, loop)

    def since(self, number: int) -> TrackingChange | None:
        """What came after a number; None: nothing did."""
        if number >= self.number:
            return None
        if not self._told or self._told[0][0] > number + 1:
            return TrackingChange(everything=True)
        return merged([change for told, change in self._told if told > number])

    async def watch(self, look: Callable[[], Awaitable[TrackingChange | None]]) -> None:
        """Look every few seconds, while somebody follows; returns where nobody need look."""
        while True:
            await asyncio.sleep(LOOK)
            if not self._broker.followed:
                continue
            try:
                found = await look()
            except PerijoveError:
                continue  # that MLflow is away is said elsewhere
            if found is None:
                return
            self.add(found)

    def _tell(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer, self._last = None, loop.time()
        self.number += 1
        self._told.append((self.number, merged(self._gathered)))
        self._gathered = []
        self._broker.changed()


def merged(changes: list[TrackingChange]) -> TrackingChange:
    """Several changes as one."""
    if any(change.everything for change in changes):
        return TrackingChange(everything=True)
    runs = dict.fromkeys(key for change in changes for key in change.runs)
    experiments = dict.fromkeys(key for change in changes for key in change.experiments)
    models = dict.fromkeys(key for change in changes for key in change.models)
    if max(len(runs), len(experiments), len(models)) > IDS:
        return TrackingChange(everything=True)
    return TrackingChange(runs=list(runs), experiments=list(experiments), models=list(models))
