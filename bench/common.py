"""What the benchmarks share: a workspace of their own, the peer, a job, medians."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import nbformat
from nbformat.v4 import new_code_cell, new_notebook

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
ROOT = Path(__file__).parents[1]
WARM_UP = 60.0


@contextmanager
def folder() -> Iterator[Path]:
    """A folder of the benchmark's own."""
    made = Path(tempfile.mkdtemp(prefix="perijove-bench-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def noop(path: Path) -> Path:
    """A notebook that does nothing worth waiting for."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [new_code_cell("1 + 1")]
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def papermill(notebook: Path, output: Path) -> list[str]:
    """The peer's command."""
    program = str(Path(sys.executable).with_name("papermill"))
    return [program, str(notebook), str(output), "--no-progress-bar"]


def two_clis(notebook: Path, folder: Path, jobs: int = 8) -> float:
    """Jobs per second of two papermill CLIs side by side."""
    begun = time.perf_counter()
    for _ in range(jobs // 2):
        running = [
            subprocess.Popen(
                papermill(notebook, folder / f"out{n}.ipynb"),
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for n in range(2)
        ]
        assert [process.wait() for process in running] == [0, 0]
    return jobs / (time.perf_counter() - begun)


def rates(ours: float, theirs: float) -> str:
    """Jobs per second beside those of two CLIs."""
    return (
        f"Perijove {ours:.2f} jobs/s, two papermill CLIs {theirs:.2f} jobs/s: "
        f"{ours / theirs:.1f} times as many"
    )


def timed(command: list[str], cwd: Path) -> float:
    """Seconds a command takes."""
    begun = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - begun


class Hub:
    """A hub of the benchmark's own, spoken to as any client does."""

    def __init__(self, home: Path) -> None:
        os.environ["PERIJOVE_HOME"] = str(home)
        self.home = home
        begun = time.perf_counter()
        self.perijove("up")
        self.up_took = time.perf_counter() - begun
        from perijove.client.discovery import find_hub, workspace_folder

        info = find_hub(workspace_folder())
        assert info is not None
        self.info = info
        headers = {"Authorization": f"Bearer {info.token}"}
        self.client = httpx.Client(base_url=info.url, headers=headers, timeout=120)

    def perijove(self, *words: str) -> None:
        command = [sys.executable, "-m", "perijove.cli", *words]
        subprocess.run(command, check=True, capture_output=True)

    def submit(self, notebook: Path, **fields: object) -> str:
        body = {"path": notebook.name, "root": str(notebook.parent), "id": str(uuid4())} | fields
        answer = self.client.post("/api/jobs", json=body)
        answer.raise_for_status()
        return str(answer.json()["id"])

    def wait(self, job: str, until: str = "terminal") -> None:
        query = {"until": until, "timeout": 120}
        state = self.client.get(f"/api/jobs/{job}/wait", params=query).json()["state"]
        assert state == "succeeded", state

    def job(self, notebook: Path, **fields: object) -> float:
        """Seconds from submit to *succeeded* seen through the API."""
        begun = time.perf_counter()
        self.wait(self.submit(notebook, **fields))
        return time.perf_counter() - begun

    def many(self, notebook: Path, count: int, **fields: object) -> list[str]:
        """Submit so many and wait for all."""
        jobs = [self.submit(notebook, **fields) for _ in range(count)]
        for job in jobs:
            self.wait(job)
        return jobs

    def warm(self, notebook: Path) -> None:
        """Run until everything is loaded and recorded."""
        deadline = time.monotonic() + WARM_UP
        while self.client.get("/api/status").json()["tracking_state"] != "running":
            assert time.monotonic() < deadline, "MLflow does not start"
            time.sleep(0.2)
        for _ in range(3):
            self.wait(self.submit(notebook), "recorded")

    def down(self) -> None:
        self.perijove("down", "--force")


@contextmanager
def hub(home: Path) -> Iterator[Hub]:
    """A hub that is stopped at the end."""
    made = Hub(home)
    try:
        yield made
    finally:
        made.down()


def beside(
    ours: Callable[[], float], peer: Callable[[], float], rounds: int, name: str = "papermill"
) -> str:
    """Run both in turn; medians and their ratio."""
    mine, theirs = [], []
    for _ in range(rounds):
        theirs.append(peer())
        mine.append(ours())
    a, b = statistics.median(mine), statistics.median(theirs)
    return f"Perijove {a:.3f} s, {name} {b:.3f} s: {b / a:.1f} times faster"
