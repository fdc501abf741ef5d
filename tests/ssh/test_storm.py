"""Storms over machines that are reached over SSH; an oracle outside of them looks on."""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from chaos.oracle import Oracle
from chaos.storm import Fault, commands, inner, killing, scaling, storm
from perijove.models.attempts import RUNNER, STATUS

from .hosts import Host, Hosts

pytestmark = pytest.mark.chaos
LAST = 60.0
"""Seconds a cable is out at most."""


@pytest.fixture
def oracle(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Oracle]:
    """Its file lies where all hosts see it: their /tmp is their own."""
    monkeypatch.setenv("PERIJOVE_HOME", str(home))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "work").mkdir()
    made = Oracle(home, tmp_path / "work")
    shared = Path(tempfile.mkdtemp(prefix="perijove-oracle-", dir="/var/tmp"))
    made.file = shared / "oracle.txt"
    yield made
    shutil.rmtree(shared)


def attach(oracle: Oracle, *boxes: Host) -> list[str]:
    """Attach each; their names."""
    names = [f"box{number}" for number, _ in enumerate(boxes)]
    for name, box in zip(names, boxes, strict=True):
        address = box.address()
        oracle.ws.compute.attach(
            name,
            host=f"root@{box.ip}",
            identity_file=str(address.identity_file),
            host_key=address.host_key,
            cpus=2,
        )
    return names


def runners(box: Host) -> list[int]:
    """Runners that have an attempt there now."""
    found = []
    for part in ("agents/*/attempts", "nodes/*/dask/*/perijove/attempts"):
        for file in (box.home / ".perijove-node").glob(f"{part}/*/*/{RUNNER}"):
            try:
                if not (file.parent / STATUS).exists():
                    found.append(json.loads(file.read_text())["pid"])
            except (OSError, ValueError):
                continue
    pids = inner(box.processes())
    return [pids[pid] for pid in found if pid in pids]


def ours(*boxes: Host) -> list[int]:
    """What is left of us."""
    return [pid for box in boxes for pid in commands(box.processes(), "perijove")]


def faults_of(boxes: list[Host], longest: float) -> dict[str, Fault]:
    """What happens to machines."""

    def cut(rng: random.Random) -> tuple[float, Callable[[], object]]:
        box = rng.choice(boxes)
        box.cut()
        return rng.uniform(1, longest), box.restore

    def stop_sshd(rng: random.Random) -> tuple[float, Callable[[], object]]:
        box = rng.choice(boxes)
        box.kill_sshd()
        return rng.uniform(0, 5), box.start_sshd

    def reboot(rng: random.Random) -> None:
        rng.choice(boxes).reboot()

    def on(find: Callable[[Host], list[int]]) -> Fault:
        return killing(lambda: [pid for box in boxes for pid in find(box)])

    return {
        "cut": cut,
        "sshd": stop_sshd,
        "reboot": reboot,
        "runner": on(runners),
        "agent": on(lambda box: commands(box.processes(), "instance.agent")),
        "worker": on(lambda box: commands(box.processes(), "dask_worker")),
    }


def chosen(faults: Mapping[str, Fault], *names: str) -> dict[str, Fault]:
    return {name: faults[name] for name in names}


def over_machines(oracle: Oracle, boxes: list[Host], names: tuple[str, ...], **how: float) -> None:
    targets = attach(oracle, *boxes)
    faults = faults_of(boxes, how.pop("longest"))
    faults |= {"hub": killing(oracle.hub), "mlflow": killing(oracle.mlflow)}
    count, seed = int(how.pop("count")), int(how.pop("seed"))
    rounds = int(how.pop("rounds", 12))
    storm(oracle, chosen(faults, *names), targets, count, seed=seed, rounds=rounds, **how)
    assert not [pid for box in boxes for pid in runners(box)]
    for name in targets:
        oracle.ws.compute.get(name).delete(force=True)
    assert not ours(*boxes)
    assert not [left for box in boxes for left in (box.home / ".perijove-node/agents").iterdir()]


def test_a_short_storm_over_a_machine(oracle: Oracle, hosts: Hosts, node: Path) -> None:
    faults = ("agent", "runner", "sshd")
    over_machines(
        oracle, [hosts.add(node=node)], faults, count=5, every=1.5, rounds=2, longest=3, seed=2
    )


@pytest.mark.soak
def test_fifty_jobs_in_a_storm_over_machines(oracle: Oracle, hosts: Hosts, node: Path) -> None:
    boxes = [hosts.add(node=node), hosts.add(node=node)]
    faults = ("agent", "cut", "hub", "mlflow", "reboot", "runner", "sshd")
    seed = int(os.environ.get("CHAOS_SEED", "7"))
    over_machines(oracle, boxes, faults, count=50, every=4, longest=LAST, seed=seed)


@pytest.mark.soak
def test_fifty_jobs_in_a_storm_over_a_pool(oracle: Oracle, hosts: Hosts, node: Path) -> None:
    boxes = [hosts.add(node=node), hosts.add(node=node)]
    oracle.ws.compute.create_cluster(
        "pool",
        on="ssh",
        hosts=[f"root@{box.ip}" for box in boxes],
        host_keys=[str(box.address().host_key) for box in boxes],
        identity_file=str(boxes[0].address().identity_file),
        cpus=2,
    )
    faults = faults_of(boxes, LAST)
    faults |= {"hub": killing(oracle.hub), "cluster": killing(oracle.cluster)}
    faults["scale"] = scaling(oracle, "pool")
    names = ("cluster", "cut", "hub", "reboot", "runner", "scale", "sshd", "worker")
    seed = int(os.environ.get("CHAOS_SEED", "7"))
    storm(oracle, chosen(faults, *names), ["pool"], count=50, every=12, seed=seed)
    oracle.ws.compute.get("pool").delete(force=True)
    assert not ours(*boxes)
    assert oracle.cluster() == []
