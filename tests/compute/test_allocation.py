"""The allocation of an instance on Slurm: asked for once, and anew only if somebody wants that."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from perijove.compute import slurm
from perijove.compute.instance.allocation import SlurmMachine
from perijove.compute.slurm import SlurmJob
from perijove.errors import Unreachable
from perijove.models.agents import AgentConfig, GateAddress
from perijove.models.instances import InstanceDefinition

pytestmark = pytest.mark.asyncio
CONFIG = AgentConfig(target="box", gate=GateAddress(url="http://hub"), token="t")


class Queue:
    """What Slurm lists, and was asked for."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.submitted: list[str] = []
        self.listed: dict[str, str] = {}
        self.away = False
        for verb in (self.jobs, self.submit, self.end):
            patch.setattr(slurm, verb.__name__, verb)

    async def jobs(self, name: str) -> list[SlurmJob]:
        found = [job for job in self.listed if job.startswith(name)]
        return [SlurmJob("7", job, self.listed[job], "", "node1", 60.0) for job in found]

    async def submit(self, script: str, name: str) -> str | None:
        self.submitted.append(name)
        if self.away:
            raise Unreachable("sbatch did not answer.")
        self.listed[name] = "RUNNING"
        return "7"

    async def end(self, name: str, patience: float) -> None:
        self.listed.pop(name, None)


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    return Queue(monkeypatch)


def machine(folder: Path) -> SlurmMachine:
    """As every hub makes it."""
    workshop: Any = SimpleNamespace(
        folder=folder, gate=folder / "gate", network_gate=lambda: None, name="default-box"
    )
    return SlurmMachine(InstanceDefinition(name="box", on="slurm"), workshop)


@pytest.mark.parametrize("state", ["TIMEOUT", None])
@pytest.mark.parametrize("hub_is_new", [False, True])
async def test_one_that_ended_is_replaced_only_when_somebody_wants_that(
    queue: Queue, tmp_path: Path, state: str | None, hub_is_new: bool
) -> None:
    box = machine(tmp_path)
    await box.start_agent(CONFIG)
    assert (box.ended, box.trouble) == (False, None)
    # it ends; minutes later Slurm does not list it any more
    [name] = queue.submitted
    queue.listed = {} if state is None else {name: state}
    box = machine(tmp_path) if hub_is_new else box
    await box.start_agent(CONFIG)
    assert queue.submitted == [name]
    # what Slurm does not list may only not have been listed: its jobs are not given up for that
    assert box.ended is (state is not None)
    assert "Start it again for a new one" in str(box.trouble)

    await box.renew()
    await box.start_agent(CONFIG)
    assert len(set(queue.submitted)) == 2
    assert (box.ended, box.trouble) == (False, None)
    assert box.properties()["slurm_state"] == "RUNNING"


async def test_one_that_runs_is_never_asked_for_twice(queue: Queue, tmp_path: Path) -> None:
    await machine(tmp_path).start_agent(CONFIG)
    box = machine(tmp_path)
    await box.renew()
    await box.start_agent(CONFIG)
    assert len(queue.submitted) == 1


async def test_one_that_was_never_accepted_is_asked_for_under_the_same_name(
    queue: Queue, tmp_path: Path
) -> None:
    queue.away = True
    with pytest.raises(Unreachable):
        await machine(tmp_path).start_agent(CONFIG)
    queue.away = False
    box = machine(tmp_path)
    await box.start_agent(CONFIG)
    assert len(queue.submitted) == 2
    assert len(set(queue.submitted)) == 1
    assert box.trouble is None
    await box.stop_agent()
    assert queue.listed == {}
