"""What the nodes of targets have used in the last minutes: charts begin with it.

It is kept in memory only: a hub that begins anew knows of no past.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from perijove.abc import ComputeTarget
from perijove.models.compute import NodeState, NodeUsage, UsageSample

PACE = 5.0
"""Seconds between two samples."""
KEPT = 180
"""Samples of a target: a quarter of an hour."""


@dataclass
class UsageHistory:
    """The samples of a workspace's targets."""

    targets: Mapping[str, ComputeTarget]
    now: Callable[[], float] = time.monotonic
    _samples: dict[str, deque[tuple[float, list[NodeUsage]]]] = field(default_factory=dict)

    def of(self, name: str) -> list[UsageSample]:
        """A target's, oldest first."""
        now = self.now()
        return [
            UsageSample(age=round(now - at, 3), nodes=nodes)
            for at, nodes in self._samples.get(name, ())
        ]

    async def run(self) -> None:
        """Take samples, for ever."""
        while True:
            self.take()
            await asyncio.sleep(PACE)

    def take(self) -> None:
        """Take one of each target; those that are gone are forgotten."""
        now = self.now()
        for gone in self._samples.keys() - self.targets.keys():
            del self._samples[gone]
        for name, target in self.targets.items():
            samples = self._samples.setdefault(name, deque(maxlen=KEPT))
            samples.append((now, _usage(target)))


def _usage(target: ComputeTarget) -> list[NodeUsage]:
    return [
        NodeUsage(
            id=node.id,
            busy=node.state is NodeState.RUNNING,
            cpu_percent=node.cpu_percent or 0,
            memory_used=node.memory_used or 0,
        )
        for node in target.nodes
        if node.is_up
    ]
