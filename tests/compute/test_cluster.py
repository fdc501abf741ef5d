"""Clusters on this machine: the contract, scaling, placing, and what is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from clusters import ClusterContract, states
from conftest import command, processes
from perijove.errors import Conflict
from perijove.models.compute import ClusterDefinition, NodeState, Resources
from perijove.models.jobs import FailureReason, JobState
from perijove.testing.targets import RecordingSink

LISTEN = psutil.CONN_LISTEN
pytestmark = [pytest.mark.integration, pytest.mark.asyncio]


def marked(folder: Path) -> list[str]:
    """The commands of all that the cluster in the folder has started, and that lives."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("PERIJOVE_NODE") == str(folder / "train"):
                found.append(" ".join(process.cmdline()))
    return found


class TestCluster(ClusterContract):
    limits: dict[str, object] = {"max_nodes": 2, "idle_seconds_before_scale_down": 60}

    @pytest.mark.parametrize("warm_start", [True, False])
    async def test_an_empty_list_of_imports_is_no_cold_start(
        self, tmp_path: Path, warm_start: bool
    ) -> None:
        async with self.cluster(tmp_path, warm_start=warm_start) as (target, sink):
            await self.run(target, tmp_path)
            await self.until(lambda: sink.ends)
            record = json.loads((tmp_path / "train/process.json").read_text())
            cluster = psutil.Process(record["process"]["pid"])
            lines = [command(child) for child in cluster.children()]
            assert any("dask_worker" in line for line in lines)
            assert any("runner.zygote" in line for line in lines) is warm_start
            # nobody but this machine hears them
            ours = [cluster, *cluster.children(recursive=True)]
            heard = set()
            for each in ours:
                with suppress(psutil.NoSuchProcess):  # what ran the job is about to end
                    found = each.net_connections("tcp")
                    heard |= {c.laddr.ip for c in found if c.status == LISTEN}
            assert heard == {"127.0.0.1"}

    async def test_it_scales_with_what_waits_and_back_to_nothing(self, tmp_path: Path) -> None:
        async with self.cluster(tmp_path, idle_seconds_before_scale_down=1) as (target, sink):
            assert target.nodes_now.nodes == []
            specs = [self.attempt(tmp_path, "time.sleep(3)") for _ in range(4)]
            most = 0
            for spec in specs:
                await target.launch(spec)
            while len(sink.ends) < 4:
                most = max(most, len(target.nodes_now.nodes))
                await asyncio.sleep(0.05)
            assert most == 2
            await self.until(lambda: target.nodes_now.nodes == [])
            assert all(self.said(tmp_path, spec) == ["start", "end"] for spec in specs)
            assert target.nodes_now.node_seconds > 0

    async def test_no_attempt_queues_behind_another_while_a_node_is_free(
        self, tmp_path: Path
    ) -> None:
        async with self.cluster(tmp_path, min_nodes=2) as (target, sink):
            await self.until(lambda: states(target) == [NodeState.IDLE] * 2)
            for _ in range(2):
                specs = [self.attempt(tmp_path, "time.sleep(600)") for _ in range(2)]
                for spec in specs:
                    await target.launch(spec)
                await self.until(lambda s=specs: all(self.said(tmp_path, spec) for spec in s))
                for spec in specs:
                    await target.cancel(spec.job_id, 1)
            assert len(sink.ends) == 4

    async def test_an_attempt_that_waits_for_a_node_is_not_lost(self, tmp_path: Path) -> None:
        async with self.cluster(tmp_path, max_nodes=1) as (target, sink):
            target._lease = 3
            first = await self.run(target, tmp_path, "time.sleep(5)")
            waits = self.attempt(tmp_path)
            await target.launch(waits)
            await self.until(lambda: len(sink.ends) == 2)
            assert self.verdict(first).state is JobState.SUCCEEDED
            assert self.said(tmp_path, waits) == ["start", "end"]

    async def test_a_busy_node_does_not_leave(self, tmp_path: Path) -> None:
        async with self.cluster(tmp_path, idle_seconds_before_scale_down=0) as (target, sink):
            spec = await self.run(target, tmp_path, "time.sleep(4)")
            await self.until(lambda: sink.ends)
            assert self.said(tmp_path, spec) == ["start", "end"]

    async def test_a_node_s_figures_are_those_of_its_jobs_too(self, tmp_path: Path) -> None:
        script = "x = bytearray(150_000_000)\nwhile True: x[0] = 1"
        async with self.cluster(tmp_path, max_nodes=1) as (target, _):
            await self.run(target, tmp_path, script)

            def busy() -> bool:
                [node] = target.nodes_now.nodes
                cpu, memory = node.cpu_percent or 0, node.memory_used or 0
                return cpu > 30 and memory > 200_000_000

            await self.until(busy)

    async def test_min_nodes_are_kept(self, tmp_path: Path) -> None:
        limits = {"min_nodes": 1, "idle_seconds_before_scale_down": 0}
        async with self.cluster(tmp_path, **limits) as (target, _):
            await self.until(lambda: states(target) == [NodeState.IDLE])
            await target.define(ClusterDefinition(name="train", min_nodes=0, max_nodes=1,
                                                  idle_seconds_before_scale_down=0))  # fmt: skip
            await self.until(lambda: target.nodes_now.nodes == [])

    async def test_gpus_are_lent_to_one_attempt_each(self, tmp_path: Path) -> None:
        async with self.cluster(tmp_path, max_nodes=1, cpus=2, gpus=2) as (target, sink):
            script = (  # they run at once, whatever comes first
                "import os, pathlib, uuid; print('GPU', os.environ['CUDA_VISIBLE_DEVICES'])\n"
                f"here = pathlib.Path({str(tmp_path)!r})\n"
                "(here / f'{uuid.uuid4()}.up').touch()\n"
                "while len(list(here.glob('*.up'))) < 2: time.sleep(0.05)"
            )
            for _ in range(2):
                spec = self.attempt(tmp_path, script)
                await target.launch(spec.model_copy(update={"resources": Resources(gpus=1)}))
            await self.until(lambda: len(sink.ends) == 2)
            texts = [
                "".join(str(event.data.get("text", "")) for event in events)
                for events in sink.delivered.values()
            ]
            seen = sorted(text.partition("GPU ")[2].split()[0] for text in texts)
            assert seen == ["0", "1"]

    async def test_what_no_node_has_is_refused(self, tmp_path: Path) -> None:
        target = self.make_target(tmp_path, cpus=2, gpus=1)
        target.check(Resources(cpus=2, gpus=1))
        with pytest.raises(Conflict, match="needs 3 CPUs, and a node of train has 2"):
            target.check(Resources(cpus=3))

    async def test_a_killed_node_loses_its_attempt(self, tmp_path: Path) -> None:
        async with self.cluster(tmp_path) as (target, sink):
            spec = await self.run(target, tmp_path, "time.sleep(600)")
            for process in processes(tmp_path, "dask_worker"):
                process.kill()
            await self.until(lambda: sink.ends)
            found = self.verdict(spec)
            assert (found.state, found.reason) == (JobState.FAILED, FailureReason.LOST)
            assert "died" in (found.message or "")
            again = await self.run(target, tmp_path)
            await self.until(lambda: len(sink.ends) == 2)
            assert self.verdict(again).state is JobState.SUCCEEDED

    async def test_what_is_stopped_on_its_way_up_stays_down(self, tmp_path: Path) -> None:
        target = self.make_target(tmp_path, min_nodes=1)
        await target.start(RecordingSink())
        await self.until(lambda: processes(tmp_path, "cluster.process"))
        await target.power(False)
        assert not processes(tmp_path)
        assert not target.nodes_now.nodes
        await target.power(True)
        await self.until(lambda: states(target) == [NodeState.IDLE])
        await target.destroy()
        await target.close()

    async def test_a_killed_cluster_process_loses_nothing_that_runs(self, tmp_path: Path) -> None:
        async with self.cluster(tmp_path, max_nodes=1) as (target, sink):
            runs = await self.run(target, tmp_path, "time.sleep(4)")
            waits = self.attempt(tmp_path)
            await target.launch(waits)
            record = json.loads((tmp_path / "train/process.json").read_text())
            os.kill(record["process"]["pid"], signal.SIGKILL)
            await self.until(lambda: len(sink.ends) == 2)
            assert self.said(tmp_path, runs) == self.said(tmp_path, waits) == ["start", "end"]

    async def test_a_waiting_attempt_is_canceled(self, tmp_path: Path) -> None:
        async with self.cluster(tmp_path, max_nodes=1) as (target, _):
            await self.run(target, tmp_path, "time.sleep(600)")
            waits = self.attempt(tmp_path)
            await target.launch(waits)
            await target.cancel(waits.job_id, 1)
            assert self.verdict(waits).state is JobState.CANCELED
            assert self.said(tmp_path, waits) == []

    async def test_destroyed_nothing_is_left(self, tmp_path: Path) -> None:
        async with self.cluster(tmp_path, min_nodes=1) as (target, _):
            await self.until(lambda: states(target) == [NodeState.IDLE])
            assert any("runner.zygote" in command for command in marked(tmp_path))
        assert processes(tmp_path) == []
        assert marked(tmp_path) == []
        assert not (tmp_path / "train").exists()

    async def test_nobody_without_the_certificate_gets_in(self, tmp_path: Path) -> None:
        async with self.cluster(tmp_path) as (target, _):
            address = target.nodes_now.scheduler
            assert address.startswith("tls://127.0.0.1:")
            reader, writer = await asyncio.open_connection("127.0.0.1", int(address.split(":")[-1]))
            writer.write(b"\0" * 64)
            await writer.drain()
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await asyncio.wait_for(reader.readexactly(100), 20)
            writer.close()

    async def test_users_own_dask_work_beside_a_job(self, tmp_path: Path) -> None:
        from distributed import Client

        from perijove.compute.cluster.tls import security

        async with self.cluster(tmp_path) as (target, _):
            # it has the only CPU of the node that is there when the work comes
            await self.run(target, tmp_path, "time.sleep(600)")
            async with Client(
                target.nodes_now.scheduler,
                security=security(tmp_path / "train/tls"),
                asynchronous=True,
                set_as_default=False,
            ) as client:
                data = await client.scatter(list(range(10)))
                work = [client.submit(lambda row, n: row[n] ** 2, data, n) for n in range(10)]
                found = await asyncio.wait_for(client.gather(work), self.patience)
                assert found == [x * x for x in range(10)]
