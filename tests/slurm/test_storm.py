"""Storms over a real Slurm; an oracle outside of it looks on."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaos.oracle import Oracle
from chaos.storm import Fault, inner, killing, scaling, storm
from conftest import configure, perijove
from perijove.models.attempts import RUNNER, STATUS
from slurm.bed import NODES, Slurm

pytestmark = pytest.mark.chaos
LAST = 60.0
"""Seconds a cable is out at most."""


@pytest.fixture
def oracle(slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Oracle]:
    home = tmp_path / "home"
    configure(home)
    monkeypatch.setenv("PERIJOVE_HOME", str(home))
    (tmp_path / "work").mkdir()
    yield Oracle(home, tmp_path / "work")
    perijove("down", "--force", home=home)
    assert slurm.queue() == []


def runners(oracle: Oracle, slurm: Slurm) -> list[int]:
    """Runners that have an attempt now, on whichever node."""
    pids = {}
    for name in NODES:
        pids |= {(slurm.boot_id(name), at): pid for at, pid in inner(slurm.processes(name)).items()}
    found = []
    for file in oracle.workspace.jobs.glob(f"*/attempts/*/{RUNNER}"):
        if not (file.parent / STATUS).exists():
            known = json.loads(file.read_text())
            found.append(pids.get((known["boot_id"], known["pid"]), 0))
    return [pid for pid in found if pid]


def faults_of(oracle: Oracle, slurm: Slurm, longest: float) -> dict[str, Fault]:
    """What happens to a batch system."""

    def cancel(rng: random.Random) -> None:
        if ids := slurm.ids():
            slurm.cancel(rng.choice(ids))

    def cut(rng: random.Random) -> tuple[float, Callable[[], object]] | None:
        name = rng.choice(NODES)
        if not slurm.runs(name):
            return None
        slurm.cut(name)
        return rng.uniform(1, longest), lambda: slurm.runs(name) and slurm.cut(name, True)

    def crash(rng: random.Random) -> tuple[float, Callable[[], object]] | None:
        name = rng.choice(NODES)
        if not slurm.runs(name):
            return None
        slurm.crash(name)
        return rng.uniform(1, 10), lambda: slurm.runs(name) or slurm.boot(name)

    return {
        "cancel": cancel,
        "cut": cut,
        "crash": crash,
        "hub": killing(oracle.hub),
        "cluster": killing(oracle.cluster),
        "worker": killing(oracle.nodes),
        "runner": killing(lambda: runners(oracle, slurm)),
        "scale": scaling(oracle, "train"),
    }


def over_slurm(oracle: Oracle, slurm: Slurm, names: tuple[str, ...], **how: float) -> None:
    oracle.ws.compute.create_cluster("train", on="slurm", partition="debug", max_nodes=2, cpus=2)
    faults = faults_of(oracle, slurm, how.pop("longest"))
    chosen = {name: faults[name] for name in names}
    count, seed = int(how.pop("count")), int(how.pop("seed"))
    rounds = int(how.pop("rounds", 12))
    storm(oracle, chosen, ["train"], count, seed=seed, rounds=rounds, **how)
    assert not runners(oracle, slurm)
    oracle.ws.compute.get("train").delete(force=True)
    assert slurm.queue() == []
    assert oracle.cluster() == oracle.nodes() == []


def test_a_short_storm_over_slurm(oracle: Oracle, slurm: Slurm) -> None:
    over_slurm(
        oracle,
        slurm,
        ("cancel", "cluster", "runner", "scale"),
        count=5,
        every=2,
        rounds=2,
        longest=3,
        seed=2,
    )


@pytest.mark.soak
def test_fifty_jobs_in_a_storm_over_slurm(oracle: Oracle, slurm: Slurm) -> None:
    names = ("cancel", "cluster", "crash", "cut", "hub", "runner", "scale", "worker")
    seed = int(os.environ.get("CHAOS_SEED", "7"))
    over_slurm(oracle, slurm, names, count=50, every=6, longest=LAST, seed=seed)
