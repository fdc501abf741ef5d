"""What the tests of clusters share, whatever their nodes are launched over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from conftest import processes
from perijove.abc import ComputeTarget
from perijove.compute.cluster.target import ClusterTarget
from perijove.models.attempts import AttemptSpec
from perijove.models.compute import ClusterDefinition, NodeState
from perijove.testing.targets import ComputeTargetContract, RecordingSink


class ClusterContract(ComputeTargetContract):
    """The contract of clusters that are defined so."""

    limits: dict[str, object] = {}

    def make_target(self, folder: Path, warm_start: bool = True, **limits: object) -> ClusterTarget:
        definition = ClusterDefinition.model_validate({"name": "train"} | self.limits | limits)
        return ClusterTarget(
            folder / "train",
            definition,
            on=True,
            lease=30,
            preload=(),
            warm_start=warm_start,
            changed=lambda: None,
        )

    @asynccontextmanager
    async def started(self, folder: Path) -> AsyncIterator[tuple[ComputeTarget, RecordingSink]]:
        async with super().started(folder) as (target, sink):
            assert isinstance(target, ClusterTarget)
            await target.power(True)
            yield target, sink

    @asynccontextmanager
    async def cluster(
        self, folder: Path, **limits: Any
    ) -> AsyncIterator[tuple[ClusterTarget, RecordingSink]]:
        """One that is up, and is destroyed at the end."""
        target, sink = self.make_target(folder, **limits), RecordingSink()
        await target.start(sink)
        try:
            await target.power(True)
            yield target, sink
        finally:
            await target.destroy()
            await target.close()

    async def run(
        self, target: ClusterTarget, folder: Path, script: str = "", **changes: object
    ) -> AttemptSpec:
        """Launch an attempt, and return when it has begun."""
        spec = self.attempt(folder, script).model_copy(update=changes)
        await target.launch(spec)
        await self.until(lambda: self.said(folder, spec))
        return spec

    @pytest.fixture(autouse=True)
    def _nothing_left(self, tmp_path: Path) -> Iterator[None]:
        yield
        for process in processes(tmp_path):
            process.kill()


def states(target: ClusterTarget) -> list[NodeState]:
    """Of its nodes."""
    return [node.state for node in target.nodes_now.nodes]
