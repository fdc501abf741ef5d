"""Which of a machine's GPUs are whose."""

from __future__ import annotations

import asyncio
import os

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""CUDA sees no others than these, by number or by name."""


def own_gpus(count: int) -> list[str]:
    """The GPUs of this process: those that a batch system has chosen, or the first ones."""
    lent = [name for name in os.environ.get(VISIBLE, "").split(",") if name]
    return lent if len(lent) == count else list(map(str, range(count)))


class GpuLease:
    """Some GPUs for one attempt: they are taken from `free`, when there are enough, and put back.

    Parameters
    ----------
    changed: notified whenever `free` grows.
    declared: has the machine been given GPUs at all? If not, attempts see what there is.
    """

    def __init__(
        self, free: list[str], changed: asyncio.Condition, count: int, declared: bool
    ) -> None:
        self._free, self._changed, self._count, self._declared = free, changed, count, declared
        self._taken: list[str] = []

    async def __aenter__(self) -> dict[str, str]:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._free) >= self._count)
            self._taken = [self._free.pop(0) for _ in range(self._count)]
        return {VISIBLE: ",".join(self._taken)} if self._declared else {}

    async def __aexit__(self, *_: object) -> None:
        async with self._changed:
            self._free[:] = sorted(self._free + self._taken)
            self._changed.notify_all()
