"""What the hub knows, and says, while its MLflow is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from perijove.errors import TrackingUnreachable
from perijove.hub import tracking as hub_tracking
from perijove.hub.tracking import Tracking
from perijove.models.workspaces import WorkspaceConfig, WorkspaceFolder
from perijove.services.broker import Broker
from perijove.tracking import connection

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tracking]:
    """Of a server that has its port, where questions wait, and is not started."""
    monkeypatch.setattr(connection, "LATE", 0.02)
    monkeypatch.setattr(connection, "HUNG", 0.1)
    monkeypatch.setattr(hub_tracking, "HUNG", 0.1)
    monkeypatch.setattr(hub_tracking, "LOOK", 0.01)
    made = Tracking(WorkspaceFolder(tmp_path, "w"), WorkspaceConfig(), "token", "poke", Broker())
    yield made
    await made.stop(leave=True)


async def test_only_a_start_is_waited_for(tracking: Tracking) -> None:
    server = tracking._server
    assert server is not None
    assert server.state == "starting"
    asked = asyncio.create_task(tracking.connection.get("x", {}))
    await asyncio.sleep(0.3)
    assert not asked.done()
    server.state = "unreachable"  # as once it ended without having served
    with pytest.raises(TrackingUnreachable, match="does not answer"):
        await asked


async def test_those_who_follow_are_told(tracking: Tracking) -> None:
    broker, server = tracking._broker, tracking._server
    assert server is not None
    server.state = "running"  # and hangs
    attending = asyncio.create_task(tracking.attend())
    with broker.subscribe() as changed:
        await asyncio.wait_for(changed.wait(), 30)
        assert tracking.state(reachable=True) == "unreachable"
        changed.clear()
        server.state = "starting"
        await asyncio.wait_for(changed.wait(), 30)
        assert tracking.state(reachable=True) == "starting"
        changed.clear()
        server.state = "running"
        while tracking.state(reachable=True) != "unreachable":
            await asyncio.wait_for(changed.wait(), 30)
            changed.clear()
    while tracking.state(reachable=True) != "running":  # nobody follows, and nobody looked
        await asyncio.sleep(0.05)
    attending.cancel()
