"""An instance comes up: how long its agent has to call."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from perijove.compute.instance import target as module
from perijove.compute.instance.local import LocalMachine
from perijove.compute.instance.target import COME_UP, InstanceTarget
from perijove.errors import Unreachable
from perijove.models.instances import InstanceDefinition

pytestmark = pytest.mark.asyncio
LONG = COME_UP * 0.6


class Prepared(LocalMachine):
    """A machine that is being prepared for a while; each look at it takes long."""

    steps, clock = 4, 0.0

    def look_again(self) -> None:
        """Its agent has not called yet."""

    @property
    def waiting(self) -> str | None:
        self.clock += LONG
        self.steps -= 1
        if self.steps > 0:
            return "Installing 155 packages."
        self.look_again()
        return None


def made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[InstanceTarget, Any]:
    definition = InstanceDefinition(name="box")
    machine = Prepared(folder / "box", definition, folder / "gate")
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: machine.clock))
    words: dict[str, Any] = {"on": False, "lease": 60, "preload": (), "token": "token"}
    target = InstanceTarget(
        folder / "box",
        definition,
        machine,
        attempt_token=lambda *_: "token",
        changed=lambda: None,
        **words,
    )
    return target, machine


async def test_an_agent_has_its_time_when_the_machine_is_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, machine = made(tmp_path, monkeypatch)
    machine.look_again = target._link.up.set
    await target.power(True)
    assert machine.clock > 2 * COME_UP


async def test_an_agent_that_does_not_call_in_that_time_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, machine = made(tmp_path, monkeypatch)
    with pytest.raises(Unreachable, match="box did not come up: its agent does not call"):
        await target.power(True)
    assert machine.steps == -1  # the second look at a machine that waits for nothing
