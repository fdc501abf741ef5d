"""Agents on machines that were away when their targets were deleted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from perijove.compute.instance.left import LeftAgent, LeftAgents
from perijove.compute.ssh.facts import Completed


class Host:
    """Notes what it is told to run."""

    def __init__(self, host_key: str, code: int = 0) -> None:
        self.address = SimpleNamespace(host_key=host_key)
        self.code = code
        self.ran: list[Sequence[str]] = []

    async def run(self, argv: Sequence[str], timeout: float = 0) -> Completed:
        self.ran.append(argv)
        return Completed(self.code, "", "no")


@pytest.mark.asyncio
async def test_they_are_ended_once_on_the_machine_with_their_key(tmp_path: Path) -> None:
    left = LeftAgents(tmp_path)
    left.note("ssh-ed25519 AAAA box", LeftAgent(python="/p", folder="/home/a/agents/one"))
    other: Any = Host("ssh-ed25519 BBBB")
    await left.end(other)
    assert other.ran == []
    # what does not end is tried again
    stubborn: Any = Host("ssh-ed25519 AAAA", code=1)
    await left.end(stubborn)
    box: Any = Host("ssh-ed25519 AAAA")
    await left.end(box)
    assert [argv[-1] for argv in (*stubborn.ran, *box.ran)] == ["/home/a/agents/one"] * 3
    box.ran.clear()
    await left.end(box)
    assert box.ran == []
