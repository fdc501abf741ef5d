"""How long nodes have been up, whatever is stopped or killed meanwhile; who hears of them; and
that there are none of a target that has failed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from perijove.abc import ManagedTarget, TargetMaker
from perijove.errors import Unreachable
from perijove.models.compute import ClusterDefinition, ClusterState, TargetState
from perijove.models.workspaces import WorkspaceFolder
from perijove.services.broker import Broker
from perijove.services.compute import ComputeService
from perijove.store.database import open_database
from perijove.store.targets import SqlTargetStore
from perijove.testing.targets import InMemoryTarget

pytestmark = pytest.mark.asyncio


class Counting(InMemoryTarget):
    """Its count is what the test says; None: it has not been heard yet."""

    count: float | None = None
    slots = 0
    usable, in_use = True, list[str]()
    on, refusal = False, ""
    seen: Callable[[], None] = staticmethod(lambda: None)

    @property
    def nodes_now(self) -> ClusterState:
        return ClusterState(node_seconds=self.count)

    async def power(self, on: bool) -> None:
        self.on = on
        self.seen()
        self.tell(0)
        if on and self.refusal:
            raise Unreachable(self.refusal)

    def tell(self, count: float | None) -> None:
        self.count = count
        self.changed()

    def properties(self) -> dict[str, Any]:
        return {}

    async def define(self, definition: object) -> None: ...

    async def destroy(self, abandon: bool = False) -> None: ...

    def log_text(self) -> str:
        return ""


ManagedTarget.register(Counting)


class Hub:
    """A hub's service, with one target named *box*; the next one has what this one stored."""

    def __init__(self, path: Path) -> None:
        folder = WorkspaceFolder(path, "default")
        folder.compute.mkdir(parents=True, exist_ok=True)
        self.target = Counting("box")
        targets: dict[str, Any] = {}

        async def add(target: Counting) -> None:
            targets[target.name] = target

        def make(definition: object, workshop: Any, on: bool) -> Counting:
            self.target.changed = workshop.changed
            return self.target

        async def check(definition: object) -> None: ...

        @dataclass
        class Shop:
            changed: Callable[[], None] = lambda: None

        self.woken = 0

        def wake() -> None:
            self.woken += 1

        jobs = SimpleNamespace(
            folder=folder,
            store=SimpleNamespace(queued_counts=dict, active=list),
            supervisor=SimpleNamespace(
                targets=targets,
                add=add,
                busy=lambda name: [],
                hold=lambda name: nullcontext(),
                wake=wake,
            ),
        )
        self.service = ComputeService(
            store=SqlTargetStore(open_database(folder.database, folder.backups)),
            jobs=cast(Any, jobs),
            broker=Broker(),
            makers={"cluster": cast(TargetMaker, SimpleNamespace(make=make, check=check))},
            workshop=lambda name: cast(Any, Shop()),
            user="me",
            show_key=cast(Any, None),
        )
        self.service.load()

    @property
    def seconds(self) -> float:
        return round(self.service.get("box").node_hours * 3600)


async def test_node_hours_survive_stops_and_kills(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    await hub.service.create(ClusterDefinition(name="box"))
    hub.target.tell(100)
    assert hub.seconds == 100
    hub.target.tell(130)

    # a hub is killed: what keeps the nodes goes on counting, and is not heard at once
    hub = Hub(tmp_path)
    assert hub.seconds == 100
    hub.target.tell(None)
    hub.target.tell(150)
    assert hub.seconds == 150

    # what keeps the nodes is killed, and begins anew
    hub.target.tell(0)
    hub.target.tell(10)
    assert hub.seconds == 160

    await hub.service.stop("box")
    assert hub.seconds == 160
    await hub.service.start("box")
    hub.target.tell(200)
    assert hub.seconds == 360

    await hub.service.rest()
    assert Hub(tmp_path).seconds == 360


async def test_a_worker_that_has_come_gets_what_waits(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    await hub.service.create(ClusterDefinition(name="box"))
    for slots, woken in ((0, 0), (1, 1), (1, 0), (0, 0), (2, 1)):
        hub.woken, hub.target.slots = 0, slots
        hub.target.tell(0)
        assert hub.woken == woken


async def test_what_does_not_come_up_is_off(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    await hub.service.create(ClusterDefinition(name="box"))
    assert hub.target.on
    said: list[str | None] = []
    hub.target.seen = lambda: said.append(hub.service.get("box").message)
    for verb in (hub.service.restart, hub.service.start):
        hub.target.refusal = "the disk of box is full"
        with pytest.raises(Unreachable, match="is full"):
            await verb("box")
        assert hub.service.get("box").state is TargetState.FAILED
        assert not hub.target.on
    assert set(said) == {None}  # the next try is not the last failure
    hub.target.refusal = ""
    assert (await hub.service.start("box")).state is TargetState.RUNNING
