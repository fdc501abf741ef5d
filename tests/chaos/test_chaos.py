"""Kills things, and compares what the product says with what an oracle saw."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from chaos.oracle import JupyterServer, Oracle, kill, start_hub
from chaos.storm import killing, storm, submit
from conftest import configure, perijove, until
from perijove.errors import Conflict, PerijoveError
from perijove.faults import STEPS
from perijove.models.jobs import JobState

pytestmark = pytest.mark.chaos


@pytest.fixture
def oracle(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Oracle]:
    monkeypatch.setenv("PERIJOVE_HOME", str(home))
    return Oracle(home, tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    """One for several tests: each leaves it with nothing to do."""
    folder = tmp_path_factory.mktemp("shared")
    configure(folder / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERIJOVE_HOME", str(folder / "home"))
        yield Oracle(folder / "home", folder)
        perijove("down", "--force", home=folder / "home")


def of(job_id: str, jobs: list[dict[str, Any]]) -> dict[str, Any]:
    """The job of this id."""
    [found] = [job for job in jobs if job["id"] == job_id]
    return found


def scale(oracle: Oracle, cluster: str, nodes: int) -> None:
    """Give the cluster so many nodes at most. It may be on its way back from another fault."""
    with suppress(PerijoveError):
        oracle.ws.compute.get(cluster).scale(max_nodes=nodes)


def storm_here(oracle: Oracle, compute: str = "local", **how: float) -> None:
    """Submit jobs while everything there is of ours is killed, one after the other."""
    jupyter = JupyterServer(oracle.home, oracle.folder)
    jupyter.pids()
    kinds = [oracle.hub, oracle.runners, oracle.kernels, oracle.mlflow, jupyter.pids]
    if compute != "local":
        kinds += [oracle.cluster, oracle.nodes]
    try:
        faults = {kind.__qualname__: killing(kind) for kind in kinds}
        if compute != "local":
            faults["scale"] = lambda rng: scale(oracle, compute, rng.randint(1, 3))
        jobs = storm(oracle, faults, [compute], **how)  # type: ignore[arg-type]
        assert set(jupyter.jobs()) == {job["id"] for job in jobs}
    finally:
        jupyter.stop()
    oracle.nothing_left()


def test_a_short_storm_loses_nothing(oracle: Oracle) -> None:
    storm_here(oracle, count=15, every=2, seed=1, rounds=2)


def test_a_short_storm_over_a_cluster_loses_nothing(oracle: Oracle) -> None:
    oracle.ws.compute.create_cluster("storm", max_nodes=2)
    storm_here(oracle, "storm", count=8, every=2, seed=3, rounds=1)
    oracle.ws.compute.get("storm").delete(force=True)
    assert oracle.cluster() == oracle.nodes() == []


@pytest.mark.soak
def test_fifty_jobs_in_a_storm_over_a_cluster(oracle: Oracle) -> None:
    oracle.ws.compute.create_cluster("storm", max_nodes=3)
    seed = int(os.environ.get("CHAOS_SEED", "7"))
    storm_here(oracle, "storm", count=50, every=3, seed=seed)
    cluster, path = oracle.ws.compute.get("storm"), oracle.notebook("import time; time.sleep(60)")
    ids = [submit(oracle, path, compute="storm") for _ in range(5)]
    while oracle.ws.jobs.get(ids[0]).data.state is not JobState.RUNNING:
        time.sleep(0.1)
    with pytest.raises(Conflict, match="5 jobs of storm are not over"):
        cluster.delete()
    cluster.delete(force=True)
    assert {oracle.ws.jobs.get(job_id).data.state for job_id in ids} == {JobState.CANCELED}
    oracle.nothing_left()
    assert oracle.cluster() == oracle.nodes() == []


@pytest.mark.soak
def test_a_hundred_jobs_in_a_storm(oracle: Oracle) -> None:
    storm_here(oracle, count=100, every=3, seed=int(os.environ.get("CHAOS_SEED", "7")))


@pytest.mark.parametrize("label", STEPS)
def test_killed_at_a_labelled_step(shared: Oracle, label: str, tmp_path: Path) -> None:
    """The process that reaches the step dies there, once; the job goes on as if it had not."""
    once = tmp_path / "killed"
    while pids := shared.hub():
        for pid in pids:
            kill(pid)
    start_hub(shared.home, PERIJOVE_KILL_AT=label, PERIJOVE_KILL_ONCE=str(once))
    sleepy = label.startswith("cancel")
    path = shared.notebook("import time; time.sleep(30)" if sleepy else "1")
    job = submit(shared, path, retries=1)
    if sleepy:
        while shared.ws.jobs.get(job).state not in ("running", "finalizing"):
            time.sleep(0.05)
        try:
            shared.ws.jobs.get(job).cancel()
        except PerijoveError:
            shared.ws.jobs.get(job).cancel()
    ended = of(job, shared.verify({job}, seconds=60))
    assert once.exists(), "the step was not reached"
    assert ended["state"] == ("canceled" if sleepy else "succeeded"), ended
    shared.nothing_left()


def test_a_new_hub_adopts_ten_running_jobs(oracle: Oracle) -> None:
    configure(oracle.home, slots=10)
    go = oracle.folder / "go"
    wait = f"import os, time\nwhile not os.path.exists({str(go)!r}):\n    time.sleep(0.1)"
    path = oracle.notebook(wait)
    submitted = {submit(oracle, path) for _ in range(10)}
    until(lambda: len(oracle.runners()) >= 10)
    for pid in oracle.hub():
        kill(pid)
    start_hub(oracle.home)
    go.touch()
    jobs = oracle.verify(submitted)
    assert {job["state"] for job in jobs} == {"succeeded"}
    assert {job["attempt"] for job in jobs} == {1}


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("os._exit(0)", "kernel_died"),
        ("import sys; sys.exit(0)", "user_error"),
        ("import signal; os.kill(os.getpid(), signal.SIGKILL)", "kernel_died"),
    ],
)
def test_a_notebook_that_ends_early_never_succeeds(shared: Oracle, cell: str, reason: str) -> None:
    job = submit(shared, shared.notebook(cell))
    ended = of(job, shared.verify({job}))
    assert (ended["state"], ended["reason"]) == ("failed", reason)
    assert shared.said(job, 1) == ["start"]


def test_a_kernel_killed_in_the_last_cell_fails(shared: Oracle) -> None:
    path = shared.notebook(name="last.ipynb")
    text = path.read_text().replace("note('end')", "note('end'); os.kill(os.getpid(), 9)")
    path.write_text(text)
    job = submit(shared, path)
    ended = of(job, shared.settle(60))
    assert (ended["state"], ended["reason"]) == ("failed", "kernel_died")


def test_a_stopped_runner_loses_its_lease_and_is_not_heard_again(oracle: Oracle) -> None:
    configure(oracle.home, lease_seconds=6)
    job = submit(oracle, oracle.notebook("import time; time.sleep(600)"))
    until(lambda: oracle.said(job, 1))
    [runner] = oracle.runners()
    kill(runner, signal.SIGSTOP)
    [ended] = oracle.verify({job})
    assert (ended["state"], ended["reason"]) == ("failed", "lost")
    kill(runner, signal.SIGCONT)
    time.sleep(1)
    assert oracle.ws.jobs.get(job).state == "failed"
    oracle.nothing_left()


def test_mlflow_away_while_jobs_are_submitted_and_run(oracle: Oracle) -> None:
    start_hub(oracle.home)
    path = oracle.notebook("1")
    first = submit(oracle, path)
    oracle.settle(60)
    stop = threading.Event()

    def keep_away() -> None:
        while not stop.wait(0.05):
            for pid in oracle.mlflow():
                kill(pid)

    thread = threading.Thread(target=keep_away)
    thread.start()
    try:
        submitted = {submit(oracle, path) for _ in range(20)}
        for job in submitted:
            oracle.ws.jobs.get(job)._wait(60, "terminal")
    finally:
        stop.set()
        thread.join()
    jobs = oracle.verify(submitted | {first})
    assert {job["state"] for job in jobs} == {"succeeded"}


@pytest.mark.skipif(os.getuid() != 0, reason="a small file system can only be mounted by root")
def test_a_full_disk_is_said_and_the_last_good_output_stays(oracle: Oracle) -> None:
    jobs = oracle.workspace.jobs
    jobs.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(jobs)], check=True)
    try:
        path = oracle.notebook(
            "print('good')",
            "with open('outputs/big', 'wb') as file:\n    file.write(b'x' * 50_000_000)",
        )
        job = oracle.ws.jobs.get(submit(oracle, path))
        assert job._wait(60, "terminal")
        assert (job.data.state.value, job.data.reason) == ("failed", "disk_full"), job.data
        output = json.loads(Path(str(job.data.output_notebook)).read_text())
        outputs = [out for cell in output["cells"] for out in cell.get("outputs", ())]
        assert ["good\n"] in [out.get("text") for out in outputs]
    finally:
        perijove("down", "--force", home=oracle.home)
        subprocess.run(["umount", "-l", str(jobs)], check=True)


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.15, 0.2, 0.3])
def test_cancel_around_the_finish_has_one_outcome(shared: Oracle, delay: float) -> None:
    path = shared.notebook("1")
    shared.ws.jobs.get(submit(shared, path)).wait()
    for _ in range(3):
        job = shared.ws.jobs.get(submit(shared, path))
        time.sleep(delay)
        job.cancel()
        job.wait(30)
        assert job.state in ("succeeded", "canceled")
    shared.verify(set())
    shared.nothing_left()
