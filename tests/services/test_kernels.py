"""Kernels and kernelspecs of targets that start, stop, do not answer and go."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from perijove.errors import Conflict, NotFound, Unreachable
from perijove.models.attempts import RunnerProcess
from perijove.models.compute import ComputeTargetInfo, Kind, TargetState
from perijove.models.environments import (
    EnvironmentContent,
    EnvironmentState,
    EnvironmentSummary,
    SourceKind,
)
from perijove.models.kernels import Connection, KernelInfo, KernelRequest, KernelState
from perijove.models.processes import current_process
from perijove.models.workspaces import WorkspaceFolder
from perijove.services import kernels as module
from perijove.services.broker import Broker
from perijove.services.instancespecs import InstanceKernelspecs
from perijove.services.kernels import KernelService

pytestmark = pytest.mark.asyncio


class FakeHost:
    """Holds kernels in memory, as if they were reached through forwarded ports."""

    def __init__(self) -> None:
        self.kernels: dict[str, KernelInfo] = {}
        self.answers = True
        self.asked: list[KernelRequest] = []
        self.built: list[str] = []
        self.ports = iter(range(5000, 6000))

    async def start(self, request: KernelRequest) -> KernelInfo:
        self._check()
        if request.environment == "none":
            raise NotFound("There is no such environment.")
        self.asked.append(request)
        ports = dict.fromkeys(("shell", "iopub", "stdin", "control", "hb"), 1)
        return self.kernels.setdefault(
            request.kernel_id,
            KernelInfo(
                kernel_id=request.kernel_id,
                state=KernelState.RUNNING,
                started_at=datetime.now(UTC),
                connection=Connection(
                    ip="10.0.0.9", key="k", **{f"{k}_port": v for k, v in ports.items()}
                ),
            ),
        )

    async def signal(self, kernel_id: str, signum: int) -> None:
        self._check()

    async def end(self, kernel_id: str) -> None:
        self._check()
        self.kernels.pop(kernel_id, None)

    async def build(self, content: EnvironmentContent) -> str:
        self._check()
        self.built.append(content.digest)
        return f"/there/{content.digest}/bin/python"

    async def environments(self) -> list[EnvironmentSummary]:
        self._check()
        return [
            EnvironmentSummary(
                name="base", display_name="Python (base)", language="python", warm=True
            ),
            EnvironmentSummary(
                name="python3", display_name="Python 3", language="python", warm=True
            ),
            EnvironmentSummary(
                name="ir", display_name="R", language="R", warm=False, interrupt_mode="message"
            ),
        ]

    async def list(self) -> list[KernelInfo]:
        self._check()
        return list(self.kernels.values())

    async def look(self, kernel_id: str) -> KernelInfo:
        self._check()
        if kernel_id not in self.kernels:
            raise NotFound("There is no such kernel.")
        return self.kernels[kernel_id]

    async def reach(self, info: KernelInfo, before: Connection | None = None) -> Connection:
        here = {"ip": "127.0.0.1", "shell_port": next(self.ports)}
        return before or info.connection.model_copy(update=here)

    def _check(self) -> None:
        if not self.answers:
            raise Unreachable("The machine does not answer.")


class FakeCompute:
    """Targets whose states the test sets."""

    def __init__(self) -> None:
        self.broker = Broker()
        self.host = FakeHost()
        self.states = {"box": TargetState.RUNNING, "jobs": TargetState.RUNNING}
        hosts = {"box": self.host, "jobs": None}
        targets = {name: SimpleNamespace(kernels=host) for name, host in hosts.items()}
        self.jobs: Any = SimpleNamespace(supervisor=SimpleNamespace(targets=targets))
        self.starts = 0

    def get(self, name: str) -> ComputeTargetInfo:
        for known, state in self.states.items():
            if known == name.lower():
                return ComputeTargetInfo(
                    name=known,
                    kind=Kind.INSTANCE,
                    on="ssh",
                    state=state,
                    **dict.fromkeys(("slots", "current_nodes", "busy_nodes", "target_nodes"), 1),
                    **dict.fromkeys(("min_nodes", "max_nodes", "running_jobs", "queued_jobs"), 1),
                )
        raise NotFound(f"There is no compute target named {name!r}.")

    def all(self) -> list[ComputeTargetInfo]:
        return [self.get(name) for name in self.states]

    async def start(self, name: str) -> None:
        if self.states[name] is TargetState.STARTING:
            raise Conflict("Something else is being done to it.")
        self.starts += 1
        self.set(name, TargetState.STARTING)
        await asyncio.sleep(0.01)
        self.set(name, TargetState.RUNNING)

    def set(self, name: str, state: TargetState) -> None:
        self.states[name] = state
        self.broker.changed()


@pytest.fixture
def compute() -> FakeCompute:
    return FakeCompute()


def service(compute: Any, tmp_path: Path) -> KernelService:
    made = KernelService(tmp_path / "kernels", compute, lambda name: {"WHERE": name, "A": "1"})
    made.load()
    return made


def request(**fields: Any) -> KernelRequest:
    return KernelRequest(kernel_id=str(uuid4()), **fields)


async def test_a_kernel_is_reached_the_same_way_after_the_hub(
    compute: FakeCompute, tmp_path: Path
) -> None:
    kernels, wish = service(compute, tmp_path), request(environ={"A": "2"})
    started = await kernels.start("Box", wish)
    assert (started.compute, started.connection.shell_port) == ("box", 5000)
    assert compute.host.asked[0].environ == {"WHERE": "box", "A": "2"}
    assert (await kernels.start("box", wish)).connection == started.connection
    after = service(compute, tmp_path)
    assert (await after.get(wish.kernel_id)).connection == started.connection
    assert [kernel.kernel_id for kernel in await after.list("box")] == [wish.kernel_id]
    with pytest.raises(Conflict, match="runs jobs, not kernels"):
        await after.start("jobs", request())
    await after.end(wish.kernel_id)
    assert list((tmp_path / "kernels").iterdir()) == []
    with pytest.raises(NotFound):
        await after.get(wish.kernel_id)


async def test_a_stopped_instance_is_started_once_for_all(
    compute: FakeCompute, tmp_path: Path
) -> None:
    compute.set("box", TargetState.STOPPED)
    kernels = service(compute, tmp_path)
    started = await asyncio.gather(*(kernels.start("box", request()) for _ in range(5)))
    assert len({kernel.kernel_id for kernel in started}) == 5
    assert compute.starts == 1
    compute.set("box", TargetState.DELETING)
    with pytest.raises(Conflict, match="being deleted"):
        await kernels.start("box", request())


async def test_a_start_that_takes_too_long_is_said(
    compute: FakeCompute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "START_PATIENCE", 0.05)
    compute.set("box", TargetState.STARTING)
    with pytest.raises(Unreachable, match="it is starting"):
        await service(compute, tmp_path).start("box", request())


async def test_nothing_is_kept_of_what_is_refused(compute: FakeCompute, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await service(compute, tmp_path).start("box", request(environment="none"))
    assert list((tmp_path / "kernels").iterdir()) == []


async def test_away_is_not_dead(
    compute: FakeCompute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels, wish = service(compute, tmp_path), request()
    await kernels.start("box", wish)
    compute.host.answers = False
    with pytest.raises(Unreachable):
        await kernels.get(wish.kernel_id)
    await kernels.end(wish.kernel_id)  # is done as soon as it can be, by whichever hub
    assert wish.kernel_id in compute.host.kernels
    monkeypatch.setattr(module, "LOOK", 0.01)
    after = service(compute, tmp_path)
    loop = asyncio.create_task(after.run())
    compute.host.answers = True
    while compute.host.kernels:
        await asyncio.sleep(0.01)
    loop.cancel()
    # a stopped machine has no kernels: there is nothing to wait for
    again = request()
    await after.start("box", again)
    compute.set("box", TargetState.STOPPED)
    with pytest.raises(Conflict, match="stopped"):
        await after.get(again.kernel_id)
    await after.end(again.kernel_id)
    with pytest.raises(NotFound):
        await after.get(again.kernel_id)


async def test_a_kernel_ends_with_its_owner(
    compute: FakeCompute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK", 0.01)
    kernels = service(compute, tmp_path)
    gone = RunnerProcess(pid=os.getpid(), start_time=1, boot_id="another")
    stays, goes = request(owner=current_process()), request(owner=gone)
    await kernels.start("box", stays)
    await kernels.start("box", goes)
    loop = asyncio.create_task(kernels.run())
    while goes.kernel_id in compute.host.kernels:
        await asyncio.sleep(0.01)
    loop.cancel()
    assert list(compute.host.kernels) == [stays.kernel_id]


async def test_a_built_environment_is_built_where_its_kernel_is(
    compute: FakeCompute, tmp_path: Path
) -> None:
    geo = EnvironmentContent(source=SourceKind.REQUIREMENTS, text="six", python="3.12")
    kernels = service(compute, tmp_path)
    kernels.content = {"geo": geo, "geo:1": geo}.get
    for name in ("geo", "geo:1", "ir", None):
        await kernels.start("box", KernelRequest(kernel_id=str(uuid4()), environment=name))
    assert compute.host.built == [geo.digest] * 2
    python = f"/there/{geo.digest}/bin/python"
    assert [request.python for request in compute.host.asked] == [python, python, None, None]


async def test_kernelspecs_of_what_was_created_come_and_go(
    compute: FakeCompute, tmp_path: Path
) -> None:
    kernels, specs = service(compute, tmp_path), tmp_path / "specs"
    folder = WorkspaceFolder(tmp_path / "home", "default")
    built = [
        EnvironmentSummary(
            name=name,
            display_name=name,
            language="python",
            warm=True,
            state=EnvironmentState(state),
        )
        for name, state in (("geo", "ready"), ("bad", "failed"))
    ]
    keeper = InstanceKernelspecs(folder, kernels, False, specs, lambda: built)
    for state in (TargetState.RUNNING, TargetState.STOPPED):
        compute.set("box", state)
        await keeper.refresh()
        written = {path.name for path in specs.iterdir()}
        assert written == {"base@box", "geo@box", "ir@box"}
    built.clear()
    await keeper.refresh()
    assert {path.name for path in specs.iterdir()} == {"base@box", "ir@box"}


async def test_kernelspecs_follow_the_instances(compute: FakeCompute, tmp_path: Path) -> None:
    folder = WorkspaceFolder(tmp_path / "home", "default")
    kernels = service(compute, tmp_path)
    specs = tmp_path / "specs"

    def written() -> dict[str, str]:
        found = sorted(specs.glob("*/kernel.json"))
        return {p.parent.name: json.loads(p.read_text())["display_name"] for p in found}

    def keeper(workspace: WorkspaceFolder = folder) -> InstanceKernelspecs:
        return InstanceKernelspecs(workspace, kernels, False, specs)

    await keeper().refresh()
    assert written() == {"base@box": "Python (base) @ box", "ir@box": "R @ box"}
    spec = json.loads((specs / "ir@box" / "kernel.json").read_text())
    assert spec["interrupt_mode"] == "message"
    config = spec["metadata"]["kernel_provisioner"]["config"]
    assert config == {
        "instance": "box",
        "environment": "ir",
        "workspace": "default",
        "home": str(tmp_path / "home"),
    }
    (specs / "mine@home").mkdir()
    (specs / "mine@home" / "kernel.json").write_text('{"display_name": "Mine", "argv": ["x"]}')
    # its environments are remembered while it is off
    compute.set("box", TargetState.STOPPED)
    await keeper().refresh()
    assert written()["ir@box"] == "R @ box (stopped)"
    compute.set("box", TargetState.RUNNING)
    compute.host.answers = False
    await keeper().refresh()
    assert written()["ir@box"] == "R @ box"
    # another workspace's are not ours to remove, as long as it is there
    folder.root.mkdir(parents=True)
    del compute.states["box"]
    await keeper(WorkspaceFolder(tmp_path / "home", "other")).refresh()
    assert "ir@box" in written()
    folder.root.rmdir()
    await keeper(WorkspaceFolder(tmp_path / "home", "other")).refresh(force=True)
    assert written() == {"mine@home": "Mine"}
