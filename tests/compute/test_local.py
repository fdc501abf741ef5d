"""The local target keeps the contract, with a warm zygote and without one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from perijove.abc import ComputeTarget
from perijove.compute.local import LocalTarget
from perijove.compute.zygote import Zygote
from perijove.errors import Conflict
from perijove.models.compute import MEMORY_MAX, Resources
from perijove.testing.targets import ComputeTargetContract, RecordingSink

pytestmark = [pytest.mark.integration, pytest.mark.asyncio]


@pytest.mark.parametrize("wanted", [{"cpus": 1024}, {"memory": MEMORY_MAX}, {"gpus": 1}])
async def test_what_it_never_has_is_refused(wanted: dict[str, int]) -> None:
    with pytest.raises(Conflict, match="local has") as refused:
        LocalTarget(2, 30, None).check(Resources(**wanted))
    assert refused.value.field in wanted


async def test_this_machine_is_its_node() -> None:
    (node,) = LocalTarget(2, 30, None).nodes
    assert node.state == "idle"
    assert node.jobs == []
    assert 0 < (node.memory_used or 0) <= (node.memory or 0)


class TestCold(ComputeTargetContract):
    def make_target(self, folder: Path) -> ComputeTarget:
        return LocalTarget(2, 30, None)


class TestWarm(ComputeTargetContract):
    zygote: Zygote | None = None

    def make_target(self, folder: Path) -> ComputeTarget:
        return LocalTarget(2, 30, self.zygote)

    @asynccontextmanager
    async def started(self, folder: Path) -> AsyncIterator[tuple[ComputeTarget, RecordingSink]]:
        self.zygote = Zygote([], folder / "hub.log")
        await self.zygote.start()
        await self.zygote.ready.wait()
        try:
            async with super().started(folder) as both:
                yield both
        finally:
            await self.zygote.close()
