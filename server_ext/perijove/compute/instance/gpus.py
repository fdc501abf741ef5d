"""The GPUs of an instance's machine."""

from __future__ import annotations

import asyncio


class GpuLease:
    """GPUs for one attempt: CUDA sees no other."""

    def __init__(
        self, free: list[int], changed: asyncio.Condition, count: int, declared: bool
    ) -> None:
        self._free, self._changed, self._count, self._declared = free, changed, count, declared
        self._taken: list[int] = []

    async def __aenter__(self) -> dict[str, str]:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._free) >= self._count)
            self._taken = [self._free.pop(0) for _ in range(self._count)]
        if not self._declared:
            return {}
        return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, self._taken))}

    async def __aexit__(self, *_: object) -> None:
        async with self._changed:
            self._free[:] = sorted(self._free + self._taken)
            self._changed.notify_all()
