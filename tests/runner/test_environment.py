"""Kernels that the zygote of an environment forks for runners of another Python."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from conftest import until
from perijove.compute.environments import EnvironmentZygotes, warm_attempt
from perijove.models.attempts import KEEPER
from perijove.models.jobs import FailureReason, JobState
from runner.helpers import attempt, events, start, status

pytestmark = pytest.mark.integration

LONG = "import subprocess, time\nsubprocess.Popen(['sleep', '987'])\nprint('up')\ntime.sleep(60)"


@pytest.fixture
def zygotes(tmp_path: Path) -> Iterator[EnvironmentZygotes]:
    made = EnvironmentZygotes(["json", "numpy"], tmp_path / "zygotes.log")
    yield made
    made.close()


def placed(zygotes: EnvironmentZygotes, folder: Path, *cells: str) -> Path:
    """An attempt whose kernel is to come from the zygote."""
    attempt(folder, *cells, python=sys.executable)
    assert warm_attempt(zygotes, folder)
    return folder


def warm(folder: Path) -> bool:
    return bool(next(e for e in events(folder) if e["type"] == "attempt")["data"]["warm"])


def printed(folder: Path) -> Any:
    notebook = json.loads((folder / "output.ipynb").read_text())
    return json.loads("".join(notebook["cells"][-1]["outputs"][0]["text"]))


def keeper(folder: Path) -> psutil.Process:
    return psutil.Process(json.loads((folder / KEEPER).read_text())["pid"])


def underway(folder: Path) -> list[psutil.Process]:
    """The keeper, the kernel and what that has started, once its cell runs."""
    until(lambda: any(e["type"] == "output" for e in events(folder)))
    found = [keeper(folder), *keeper(folder).children(recursive=True)]
    assert len(found) == 3
    return found


def test_it_is_warm_and_looks_like_any_kernel(zygotes: EnvironmentZygotes, tmp_path: Path) -> None:
    folder = placed(
        zygotes,
        tmp_path / "a",
        "import json, os, sys, perijove.errors\n"
        "ours = [m for m in sys.modules if m.startswith('perijove')]\n"
        "here = [p for p in sys.path if p.endswith('perijove/runner')]\n"
        "job = os.environ['PERIJOVE_JOB_ID']\n"
        "print(json.dumps([sys.executable, os.getcwd(), ours, here, job, 'numpy' in sys.modules]))",
    )
    start(folder).wait(60)
    assert status(folder).state is JobState.SUCCEEDED
    assert warm(folder)
    python, workdir, ours, here, job, numpy = printed(folder)
    assert (python, workdir, job) == (sys.executable, str(folder / "work"), "a")
    assert sorted(ours) == ["perijove", "perijove.errors"]
    assert (here, numpy) == ([], True)


def test_nothing_is_left_of_it_but_its_verdict(zygotes: EnvironmentZygotes, tmp_path: Path) -> None:
    folder = placed(zygotes, tmp_path / "a", LONG.replace("60", "0.1"))
    runner = start(folder)
    processes = underway(folder)
    runner.wait(60)
    assert status(folder).state is JobState.SUCCEEDED
    psutil.wait_procs(processes, timeout=10)
    assert not any(process.is_running() for process in processes)


def test_a_runner_that_is_killed_takes_its_kernel_along(
    zygotes: EnvironmentZygotes, tmp_path: Path
) -> None:
    folder = placed(zygotes, tmp_path / "a", LONG)
    runner = start(folder)
    processes = underway(folder)
    runner.kill()
    runner.wait()
    until(lambda: not any(process.is_running() for process in processes))


def test_a_canceled_cell_is_interrupted(zygotes: EnvironmentZygotes, tmp_path: Path) -> None:
    folder = placed(
        zygotes,
        tmp_path / "a",
        "import time\ntry:\n    print('up')\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    open('outputs/cleaned', 'w').close()",
    )
    runner = start(folder)
    until(lambda: any(e["type"] == "output" for e in events(folder)))
    runner.send_signal(signal.SIGTERM)
    runner.wait(30)
    assert status(folder).state is JobState.CANCELED
    assert (folder / "work/outputs/cleaned").exists()


@pytest.mark.parametrize("which", [0, 1])
def test_a_keeper_or_kernel_that_is_killed_is_a_kernel_that_died(
    zygotes: EnvironmentZygotes, tmp_path: Path, which: int
) -> None:
    folder = placed(zygotes, tmp_path / "a", LONG)
    runner = start(folder)
    processes = underway(folder)
    processes[which].kill()
    runner.wait(30)
    assert status(folder).reason in (FailureReason.KERNEL_DIED, FailureReason.OUT_OF_MEMORY)
    assert "cell 1" in str(status(folder).message)


def test_an_exit_code_is_told(zygotes: EnvironmentZygotes, tmp_path: Path) -> None:
    folder = placed(zygotes, tmp_path / "a", "import os; os._exit(3)")
    start(folder).wait(60)
    assert status(folder).reason is FailureReason.KERNEL_DIED
    assert "3" in str(status(folder).message)


def test_a_job_outlives_the_zygote(zygotes: EnvironmentZygotes, tmp_path: Path) -> None:
    folder = placed(zygotes, tmp_path / "a", LONG.replace("60", "2"), "1 + 1")
    runner = start(folder)
    underway(folder)
    zygotes.close()
    runner.wait(60)
    assert status(folder).state is JobState.SUCCEEDED


def test_without_an_answer_the_kernel_starts_the_ordinary_way(
    zygotes: EnvironmentZygotes, tmp_path: Path
) -> None:
    folder = placed(zygotes, tmp_path / "a", "1")
    zygotes.close()
    start(folder).wait(60)
    assert status(folder).state is JobState.SUCCEEDED
    assert not warm(folder)


def test_a_few_are_kept_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    pythons = []
    for name in "abc":
        link = tmp_path / name
        link.symlink_to(os.path.realpath(sys.executable))
        pythons.append(str(link))
    me = psutil.Process()
    others = set(me.children())

    def started() -> list[psutil.Process]:
        return [process for process in me.children() if process not in others]

    zygotes = EnvironmentZygotes([], tmp_path / "log", most=2)
    try:
        first = [zygotes.warm(python) for python in pythons[:2]]
        assert zygotes.warm(pythons[0]) == first[0]
        assert zygotes.warm(pythons[2]) not in first
        assert [path for path in first if path and Path(path).exists()] == [first[0]]
        alive = until(lambda: len(found := started()) == 2 and found)
        for process in alive:
            process.kill()
        psutil.wait_procs(alive, timeout=10)
        assert zygotes.warm(pythons[0]) != first[0]
    finally:
        zygotes.close()
    until(lambda: not started())
