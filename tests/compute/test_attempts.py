"""What the process of a cluster does with attempts, without Dask."""

from __future__ import annotations

from pathlib import Path

import pytest

from perijove.compute.cluster.attempts import AttemptProcess
from perijove.compute.cluster.protocol import CARRIED
from perijove.models.compute import ClusterState


class Process(AttemptProcess):
    """As much of one as takes attempts."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.said: list[dict[str, object]] = []

    async def look(self) -> float:
        return 1.0

    def state(self) -> ClusterState:
        return ClusterState()

    def define(self, definition: dict[str, object]) -> None: ...

    def say(self, message: dict[str, object]) -> None:
        self.said.append(message)


@pytest.mark.parametrize("carried", [True, False])
def test_what_an_earlier_process_gave_to_a_node_is_lost_and_not_run_twice(
    tmp_path: Path, carried: bool
) -> None:
    if carried:
        (tmp_path / CARRIED).touch()
    process = Process(tmp_path)
    for _ in range(2):  # a hub may ask again
        process._heard({"launch": "job/1", "folder": str(tmp_path), "resources": {}})
    assert list(process._queue) == ([] if carried else ["job/1"])
    ended = [message["lost"] for message in process.said if message.get("ended") == "job/1"]
    assert ended == (["the process of its cluster was killed"] if carried else [])
