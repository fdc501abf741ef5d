"""A Slurm that is slow, silent, lies, fails, or gives up after it has accepted."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from clusters import ClusterContract, states
from perijove.compute import slurm
from perijove.compute.cluster.checks import check_slurm
from perijove.errors import Conflict, Unreachable
from perijove.models.compute import ClusterDefinition, NodeState
from perijove.models.jobs import JobState
from slurm import fake as fake_module

pytestmark = [pytest.mark.integration, pytest.mark.asyncio]


class FakeSlurm:
    """The commands on PATH, and what they have begun."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        source = Path(fake_module.__file__).read_text().splitlines()
        for name in ("sbatch", "squeue", "scancel", "sinfo"):
            path = folder / name
            path.write_text("\n".join([f"#!{sys.executable} -S", *source[1:]]))
            path.chmod(0o755)
        (folder / "jobs").mkdir()
        self.mode("")

    def mode(self, words: str) -> None:
        """How it behaves from now on."""
        (self.folder / "mode").write_text(words)

    def alive(self) -> list[int]:
        """Jobs that are there now."""
        pids = [int(file.name) for file in (self.folder / "jobs").glob("*")]
        return [pid for pid in pids if psutil.pid_exists(pid) and _running(pid)]


def _running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    made = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{made.folder}:{os.environ['PATH']}")
    monkeypatch.setenv("PERIJOVE_SLURM_PATIENCE", "2")
    monkeypatch.setattr(slurm, "PATIENCE", 2.0)
    return made


class Clusters(ClusterContract):
    """For what the tests do with one."""

    limits: dict[str, object] = {"on": "slurm", "max_nodes": 1}


@pytest.mark.parametrize(
    "mode",
    ["slow silent", "hang!", "timeout!", "lie!", "late!", "nothing", "stale"],
)
async def test_a_job_runs_once_and_no_node_is_left(
    fake: FakeSlurm, tmp_path: Path, mode: str
) -> None:
    c = Clusters()
    async with c.cluster(tmp_path) as (target, sink):
        fake.mode(mode)
        spec = c.attempt(tmp_path, "time.sleep(2)")
        await target.launch(spec)
        await c.until(lambda: sink.ends)
        assert c.said(tmp_path, spec) == ["start", "end"]
        assert c.verdict(spec).state is JobState.SUCCEEDED
        assert len(target.nodes_now.nodes) <= 1
        if mode == "late!":  # the one that came late is not wanted
            await c.until(lambda: len(list((fake.folder / "jobs").glob("*"))) == 2)
        await c.until(lambda: len(fake.alive()) == 1)
        fake.mode("")
    await c.until(lambda: not fake.alive())


async def test_a_slurm_that_does_not_answer_touches_nothing_that_runs(
    fake: FakeSlurm, tmp_path: Path
) -> None:
    c = Clusters()
    async with c.cluster(tmp_path) as (target, sink):
        spec = c.attempt(tmp_path, "time.sleep(6)")
        await target.launch(spec)
        await c.until(lambda: c.said(tmp_path, spec))
        fake.mode("stuck")
        await c.until(lambda: sink.ends)
        assert c.verdict(spec).state is JobState.SUCCEEDED
        fake.mode("")


async def test_a_cluster_is_not_forgotten_while_slurm_may_have_its_nodes(
    fake: FakeSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("GO", "ANSWER"):
        monkeypatch.setattr(f"perijove.compute.cluster.processtarget.{limit}", 3.0)
    c = Clusters()
    async with c.cluster(tmp_path, min_nodes=1) as (target, _):
        await c.until(lambda: states(target) == [NodeState.IDLE])
        fake.mode("away")
        with pytest.raises(Unreachable, match="Slurm may still have jobs named"):
            await target.destroy()
        assert (tmp_path / "train/slurm.json").exists()
        fake.mode("")
    await c.until(lambda: not fake.alive())


async def test_what_is_refused_is_said_and_not_tried_at_once_again(
    fake: FakeSlurm, tmp_path: Path
) -> None:
    c = Clusters()
    async with c.cluster(tmp_path) as (target, sink):
        fake.mode("refuse")
        spec = c.attempt(tmp_path)
        await target.launch(spec)
        await c.until(lambda: any(x.state is NodeState.UNUSABLE for x in target.nodes_now.nodes))
        assert "Job violates accounting policy" in str(target.nodes_now.message)
        fake.mode("")
        await c.until(lambda: sink.ends)
        assert c.said(tmp_path, spec) == ["start", "end"]


async def test_without_slurm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Conflict, match="Slurm is not installed") as raised:
        await check_slurm(ClusterDefinition(name="train", on="slurm"))
    assert raised.value.field == "on"


async def test_a_slurm_that_knows_of_no_cluster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sbatch = tmp_path / "sbatch"
    said = "sbatch: fatal: Could not establish a configuration source"
    sbatch.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Conflict, match="hub's machine and not configured") as raised:
        await check_slurm(ClusterDefinition(name="train", on="slurm"))
    assert raised.value.field == "on"
