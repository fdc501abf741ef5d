"""Clusters over a real Slurm: the contract, scaling, placing, and what is taken away."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from chaos.storm import inner
from clusters import ClusterContract, states
from conftest import processes
from perijove.compute.cluster.checks import check_slurm
from perijove.compute.cluster.scaling import NEW
from perijove.errors import Conflict
from perijove.models.attempts import RunnerProcess
from perijove.models.compute import ClusterDefinition, Node, NodeState, Resources
from perijove.models.jobs import FailureReason, JobState
from perijove.models.processes import boot_id
from slurm.bed import CONTROLLER, NODES, Slurm

pytestmark = [pytest.mark.integration, pytest.mark.asyncio]


@pytest.fixture(autouse=True)
def _slurm(slurm: Slurm) -> None:
    """All of this needs it."""


def age(node: Node) -> float:
    """Seconds since the node came up; 0 when that is not told yet."""
    now = datetime.now(UTC)
    return (now - (node.started_at or now)).total_seconds()


class TestSlurmCluster(ClusterContract):
    limits: dict[str, object] = {
        "on": "slurm",
        "partition": "debug",
        "cpus": 2,
        "memory": 2 << 30,
        "max_nodes": 2,
        "idle_seconds_before_scale_down": 60,
    }

    @pytest.fixture(autouse=True)
    def _bed(self, slurm: Slurm) -> None:
        self.slurm = slurm

    def kill_runner(self, runner: RunnerProcess) -> None:
        """It is another host's process, with another number here."""
        [host] = [name for name in NODES if self.slurm.boot_id(name) == runner.boot_id]
        os.kill(inner(self.slurm.processes(host))[runner.pid], signal.SIGKILL)

    async def test_from_nothing_to_two_hosts_and_back(self, tmp_path: Path, slurm: Slurm) -> None:
        limits = {"idle_seconds_before_scale_down": 1, "cpus": 4, "interface": None}
        async with self.cluster(tmp_path, **limits) as (target, sink):
            assert target.nodes_now.nodes == []
            assert target.nodes_now.scheduler.startswith(f"tls://{CONTROLLER}:")
            script = "import socket; print('HOST', socket.gethostname(), flush=True); time.sleep(4)"
            for _ in range(2):
                spec = self.attempt(tmp_path, script)
                wanted = Resources(cpus=4, memory=1 << 30)
                await target.launch(spec.model_copy(update={"resources": wanted}))
            await self.until(lambda: len(sink.ends) == 2)
            texts = [
                "".join(str(event.data.get("text", "")) for event in events)
                for events in sink.delivered.values()
            ]
            assert {text.partition("HOST ")[2].split()[0] for text in texts} == set(NODES)
            assert self.runner(spec).boot_id != boot_id()  # type: ignore[union-attr]
            await self.until(lambda: target.nodes_now.nodes == [])
            await self.until(lambda: slurm.queue() == [])

    async def test_a_node_that_waits_says_why(self, tmp_path: Path, slurm: Slurm) -> None:
        async with self.cluster(tmp_path, partition="closed") as (target, _):
            spec = self.attempt(tmp_path)
            await target.launch(spec)
            await self.until(lambda: target.nodes_now.nodes)
            await self.until(lambda: "PartitionDown" in str(target.nodes_now.nodes[0].message))
            assert target.nodes_now.nodes[0].state is NodeState.PREPARING
            await target.cancel(spec.job_id, 1)
            assert self.verdict(spec).state is JobState.CANCELED
        assert slurm.queue() == []

    async def test_a_canceled_node_loses_its_attempt(self, tmp_path: Path, slurm: Slurm) -> None:
        async with self.cluster(tmp_path, max_nodes=1) as (target, sink):
            spec = await self.run(target, tmp_path, "time.sleep(600)")
            slurm.cancel(*slurm.ids())
            await self.until(lambda: sink.ends)
            assert self.verdict(spec).state is not JobState.SUCCEEDED
            assert self.said(tmp_path, spec) == ["start"]
            await self.run(target, tmp_path)
            await self.until(lambda: len(sink.ends) == 2)

    async def test_a_crashed_host_loses_its_attempt(self, tmp_path: Path, slurm: Slurm) -> None:
        async with self.cluster(tmp_path, max_nodes=1) as (target, sink):
            target._lease = 6
            spec = await self.run(target, tmp_path, "time.sleep(600)")
            slurm.crash(slurm.where())
            await self.until(lambda: sink.ends)
            found = self.verdict(spec)
            assert (found.state, found.reason) == (JobState.FAILED, FailureReason.LOST)
            await self.run(target, tmp_path)
            await self.until(lambda: len(sink.ends) == 2)

    async def test_walltime(self, tmp_path: Path) -> None:
        limits = {"walltime": "2:00", "max_nodes": 1}
        async with self.cluster(tmp_path, **limits) as (target, sink):
            await check_slurm(target._definition)
            target.check(Resources(), 100)
            with pytest.raises(Conflict, match="lives for 2:00") as raised:
                target.check(Resources(), 200)
            assert raised.value.field == "timeout"
            first = await self.run(target, tmp_path, timeout=100.0)
            await self.until(lambda: sink.ends)
            [node] = target.nodes_now.nodes
            # what is left of the node is too short for this one, and another comes
            await self.until(lambda: age(target.nodes_now.nodes[0]) > NEW)
            second = await self.run(target, tmp_path, timeout=115.0)
            await self.until(lambda: len(sink.ends) == 2)
            assert self.said(tmp_path, first) == self.said(tmp_path, second) == ["start", "end"]
            assert target.nodes_now.nodes[0].id != node.id

    async def test_a_killed_cluster_process_loses_nothing_that_runs(
        self, tmp_path: Path, slurm: Slurm
    ) -> None:
        async with self.cluster(tmp_path, max_nodes=1, cpus=1) as (target, sink):
            runs = await self.run(target, tmp_path, "time.sleep(8)")
            waits = self.attempt(tmp_path)
            await target.launch(waits)
            record = json.loads((tmp_path / "train/process.json").read_text())
            os.kill(record["process"]["pid"], signal.SIGKILL)
            await self.until(lambda: len(sink.ends) == 2)
            assert self.said(tmp_path, runs) == self.said(tmp_path, waits) == ["start", "end"]
            # the node that was left ended with its last attempt
            await self.until(lambda: len(slurm.queue()) == 1)

    async def test_what_a_killed_cluster_process_left_is_canceled(
        self, tmp_path: Path, slurm: Slurm
    ) -> None:
        async with self.cluster(tmp_path, max_nodes=1) as (target, _):
            spec = await self.run(target, tmp_path, "time.sleep(600)")
            record = json.loads((tmp_path / "train/process.json").read_text())
            os.kill(record["process"]["pid"], signal.SIGKILL)
            await self.until(lambda: target.summary().state == "running")
            await target.cancel(spec.job_id, 1)
            assert self.verdict(spec).state is JobState.CANCELED
            await self.until(lambda: slurm.queue() == [])

    async def test_no_listener_without_tls_but_on_loopback(
        self, tmp_path: Path, slurm: Slurm
    ) -> None:
        async with self.cluster(tmp_path, max_nodes=1) as (target, _):
            await self.run(target, tmp_path, "time.sleep(600)")
            here = [
                (found.laddr.ip, found.laddr.port)
                for process in processes(tmp_path)
                for found in process.net_connections("tcp")
                if found.status == psutil.CONN_LISTEN and found.laddr.ip != "127.0.0.1"
            ]
            scheduler = target.nodes_now.scheduler.removeprefix("tls://").split(":")
            assert here == [(scheduler[0], int(scheduler[1]))]
            worker = str(target.nodes_now.nodes[0].address).removeprefix("tls://").split(":")
            there = [x for x in slurm.listeners(slurm.where()) if not x.startswith("127.0.0.1:")]
            assert there == [":".join(worker)]
            for host, port in (scheduler, worker):
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(b"\0" * 64)
                await writer.drain()
                with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                    await asyncio.wait_for(reader.readexactly(100), 20)
                writer.close()

    async def test_an_attempt_whose_folder_is_not_there_says_so(
        self, tmp_path: Path, slurm: Slurm
    ) -> None:
        async with self.cluster(tmp_path, max_nodes=1) as (target, sink):
            first = await self.run(target, tmp_path)
            await self.until(lambda: sink.ends)
            spec = self.attempt(tmp_path)
            slurm.hide(slurm.where(), Path(spec.folder))
            await target.launch(spec)
            await self.until(lambda: len(sink.ends) == 2)
            found = self.verdict(spec)
            assert found.reason is FailureReason.LOST
            assert "must be on a file system that the nodes share" in str(found.message)
            assert self.said(tmp_path, first) == ["start", "end"]

    async def test_destroyed_nothing_is_left(self, tmp_path: Path, slurm: Slurm) -> None:
        async with self.cluster(tmp_path, min_nodes=2) as (target, _):
            await self.until(lambda: states(target) == [NodeState.IDLE] * 2)
            assert len(slurm.queue()) == 2
            await self.run(target, tmp_path, "time.sleep(600)")
        assert slurm.queue() == []
        assert not (tmp_path / "train").exists()
        assert processes(tmp_path) == []


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"partition": "nope"}, "partition", "Invalid partition name"),
        ({"partition": "short", "walltime": "1:00:00"}, "walltime", "time limit"),
        ({"cpus": 900}, "cpus", "processors"),
        ({"memory": "900GiB"}, "memory", "node configuration"),
        ({"directives": ["--constraint=moon"]}, "directives", "feature"),
        ({"directives": ["--bogus=1"]}, "directives", "unrecognized option"),
        ({"interface": "moon0"}, "interface", "no network interface"),
    ],
)
async def test_what_slurm_refuses_is_said_in_its_words(
    fields: dict[str, object], field: str, words: str
) -> None:
    definition = ClusterDefinition.model_validate({"name": "train", "on": "slurm"} | fields)
    with pytest.raises(Conflict, match=words) as raised:
        await check_slurm(definition)
    assert raised.value.field == field
