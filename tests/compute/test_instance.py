"""Instances keep the contract: with the hub's disk shared, and with everything carried."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
import uvicorn

from perijove.abc import ComputeTarget
from perijove.compute.instance.local import LocalMachine
from perijove.compute.instance.target import InstanceTarget
from perijove.compute.wheels import packed
from perijove.hub.gate import bind_gate, create_gate, gate_config
from perijove.models.attempts import SPEC, AttemptSpec
from perijove.models.instances import InstanceDefinition
from perijove.models.jobs import Job, JobKind, JobState
from perijove.models.kernels import KernelRequest
from perijove.models.logged import LOGGED, LoggedSpool
from perijove.models.tokens import AttemptToken, agent_token, sign
from perijove.models.workspaces import WorkspaceConfig, WorkspaceFolder
from perijove.services.delivery import Delivery
from perijove.testing.targets import ComputeTargetContract, RecordingSink

pytestmark = [pytest.mark.integration, pytest.mark.asyncio]
KEY = "key"


class Hub:
    """As much of a hub as the gate needs: it knows every attempt that has a folder."""

    def __init__(self, folder: Path) -> None:
        self.targets: dict[str, ComputeTarget] = {}
        self._folder = folder

    def get(self, job_id: str) -> Job | None:
        folder = self._folder / "workspaces" / "default" / "jobs" / job_id / "attempts" / "1"
        if not (folder / SPEC).exists():
            return None
        now = datetime.now(UTC)
        return Job(
            id=job_id,
            kind=JobKind.SCRIPT,
            name="contract",
            state=JobState.RUNNING,
            experiment="e",
            compute="box",
            parameters={},
            tags={},
            attempt=1,
            created_at=now,
            root="/",
            path="script.py",
        )

    async def poked(self, job_id: str, attempt: int) -> None:
        await self.targets["box"].poke(job_id, attempt)


class Carried(LocalMachine):
    shared = False


class TestShared(ComputeTargetContract):
    machine: type[LocalMachine] = LocalMachine

    def make_target(self, folder: Path) -> ComputeTarget:
        definition = InstanceDefinition(name="box", cpus=2)
        machine = self.machine(folder / "box", definition, folder / "gate")
        return InstanceTarget(
            folder / "box",
            definition,
            machine,
            on=True,
            lease=600,  # nothing here waits for its end
            preload=(),
            token=agent_token("box", KEY),
            attempt_token=lambda job_id, attempt: sign(
                AttemptToken(job_id=job_id, attempt=attempt, run_id=""), KEY
            ),
            changed=lambda: None,
            environments=lambda: ["a" * 16],
        )

    def attempt(self, folder: Path, script: str = "") -> AttemptSpec:
        return super().attempt(folder / "workspaces" / "default" / "jobs", script)

    def notes(self, folder: Path, job_id: str) -> Path:
        return Path("/tmp") / f"{job_id}.notes"

    @asynccontextmanager
    async def started(self, folder: Path) -> AsyncIterator[tuple[ComputeTarget, RecordingSink]]:
        hub: Any = Hub(folder)
        where = WorkspaceFolder(folder, "default")
        delivery = Delivery(where, WorkspaceConfig(), hub, hub, packed)
        server = uvicorn.Server(gate_config(create_gate(delivery, KEY, "http://127.0.0.1:9")))
        listener = bind_gate(folder / "gate")
        serving = asyncio.create_task(server.serve([listener]))
        async with super().started(folder) as (target, sink):
            hub.targets["box"] = target
            assert isinstance(target, InstanceTarget)
            await target.power(True)
            try:
                yield target, sink
            finally:
                server.should_exit = True
                target.hang_up()
                with suppress(asyncio.CancelledError):
                    await serving
        self.ours = target

    @pytest_asyncio.fixture(autouse=True)
    async def _end(self) -> AsyncIterator[None]:
        yield
        await self.ours.machine.stop_agent()


class TestCarried(TestShared):
    machine = Carried

    async def test_environments_that_were_deleted_are_removed(self, tmp_path: Path) -> None:
        kept, used, gone = (tmp_path / "box/environments" / (x * 16) for x in "abc")
        for folder in (kept, used, gone):
            (folder / "venv/bin").mkdir(parents=True)
        program = used / "venv/bin/python"
        shutil.copy(sys.executable, program)
        runs = subprocess.Popen([program, "-c", "import time; time.sleep(600)"])
        try:
            async with self.started(tmp_path) as (target, _):
                assert isinstance(target, InstanceTarget)
                await self.until(lambda: not gone.exists())
                assert kept.exists()
                assert program.exists()
                runs.kill()
                runs.wait()
                target.tidy()
                await self.until(lambda: not used.exists())
                assert kept.exists()
        finally:
            runs.kill()

    async def test_what_kernels_use_is_used_of_the_machine(self, tmp_path: Path) -> None:
        async with self.started(tmp_path) as (target, _):
            assert isinstance(target, InstanceTarget)
            await target.kernels.start(KernelRequest(kernel_id=str(uuid4())))
            await self.until(lambda: target.nodes_now.nodes[0].memory_used)
            assert target.nodes_now.node_seconds
            [kernel] = await target.kernels.list()
            assert target.in_use == [kernel.kernel_id]
            # one that has died is nobody's reason to keep the machine up
            await target.kernels.signal(kernel.kernel_id, signal.SIGKILL)
            await self.until(lambda: not target.in_use)

    async def test_what_mlflow_has_not_got_comes_along(self, tmp_path: Path) -> None:
        """MLflow cannot be reached from the machine: the hub gets what user code has logged."""
        write = (
            "import os\nfrom perijove.models.logged import metric_record, metric_start\n"
            "assert 'PERIJOVE_ARTIFACTS' not in os.environ\n"
            "with open(os.environ['PERIJOVE_SPOOL'], 'a') as file:\n"
            "    for i in range(100):\n"
            "        file.write(metric_record(metric_start('r', 'loss'), float(i), i, i))"
        )
        async with self.started(tmp_path) as (target, sink):
            spec = self.attempt(tmp_path, write)
            spec.environ["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"
            spec.environ["PERIJOVE_ARTIFACTS"] = str(tmp_path)
            (Path(spec.folder) / SPEC).write_text(spec.model_dump_json())
            await target.launch(spec)
            await self.until(lambda: sink.ends)
        assert self.verdict(spec).state is JobState.SUCCEEDED
        steps: list[int] = []

        def send(_: str, body: dict[str, Any]) -> None:
            steps.extend(point["step"] for point in body["metrics"])

        assert LoggedSpool(Path(spec.folder) / LOGGED).drain(send, pytest.fail)
        assert steps == list(range(100))
