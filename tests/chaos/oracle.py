"""What the chaos tests believe: a file the product never reads, and processes seen from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from conftest import free_port, perijove, write_notebook
from perijove.client.discovery import find_hub
from perijove.client.workspace import Workspace
from perijove.errors import PerijoveError
from perijove.models.workspaces import WorkspaceFolder

CELL = """
import os
def note(word):
    line = f"{os.environ['PERIJOVE_JOB_ID']} {os.environ['PERIJOVE_ATTEMPT']} {word}\\n"
    file = os.open(ORACLE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode()); os.fsync(file); os.close(file)
"""


class Oracle:
    """A workspace, a notebook that leaves its word in a file, and what must hold at the end."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home = home
        self.file = folder / "oracle.txt"
        self.workspace = WorkspaceFolder(home, "default")
        os.environ["PERIJOVE_HOME"] = str(home)
        self.ws = Workspace()
        self.folder = folder

    def notebook(self, *middle: str, name: str = "job.ipynb") -> Path:
        """Notes *start*, does `middle`, notes *end*."""
        cells = [f"ORACLE = {str(self.file)!r}\n{CELL}\nnote('start')", *middle, "note('end')"]
        return write_notebook(self.folder / name, *cells)

    def said(self, job_id: str, attempt: int) -> list[str]:
        """What the attempt noted, in order."""
        if not self.file.exists():
            return []
        lines = [line.split() for line in self.file.read_text().splitlines()]
        return [word for job, number, word in lines if (job, number) == (job_id, str(attempt))]

    def processes(self, *needles: str) -> list[int]:
        """Pids of this home's processes whose command line has all needles."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                environ = (entry / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(self.home) in environ + command and all(needle in command for needle in needles):
                found.append(int(entry.name))
        return found

    def runners(self) -> list[int]:
        """Pids of runners that have an attempt now."""
        pids = []
        for file in self.workspace.jobs.glob("*/attempts/*/runner.json"):
            if not (file.parent / "status.json").exists():
                pids.append(json.loads(file.read_text())["pid"])
        return [pid for pid in pids if Path(f"/proc/{pid}").exists()]

    def kernels(self) -> list[int]:
        """Pids of the runners' kernels."""
        found = []
        for runner in self.runners():
            try:
                listed = Path(f"/proc/{runner}/task/{runner}/children").read_text().split()
            except OSError:
                continue
            found += [int(pid) for pid in listed]
        return found

    def mlflow(self) -> list[int]:
        try:
            record = json.loads((self.workspace.mlflow / "server.json").read_text())
            return [record["process"]["pid"]]
        except (OSError, KeyError, ValueError):
            return []

    def cluster(self) -> list[int]:
        """Pids of the processes of clusters."""
        return self.processes("perijove.compute.cluster.process")

    def nodes(self) -> list[int]:
        """Pids of the nodes of clusters."""
        return self.processes("distributed.cli.dask_worker")

    def hub(self) -> list[int]:
        info = find_hub(self.workspace)
        return [] if info is None else [info.pid]

    def settle(self, seconds: float) -> list[dict[str, Any]]:
        """All jobs once each is terminal and recorded; fails when some are not in time."""
        deadline = time.monotonic() + seconds
        jobs: list[dict[str, Any]] = []
        while time.monotonic() < deadline:
            with suppress(PerijoveError):
                listed = self.ws.jobs.list(limit=1000)
                jobs = [job.data.model_dump(mode="json") for job in listed]
                if all(job["recorded"] for job in jobs):
                    return jobs
            time.sleep(0.5)
        open_jobs = [(j["id"], j["state"], j["recorded"]) for j in jobs if not j["recorded"]]
        raise AssertionError(f"not settled: {open_jobs}")

    def verify(self, submitted: set[str], seconds: float = 90) -> list[dict[str, Any]]:
        """None lost, none doubled, none wrongly succeeded, no gaps; returns the jobs."""
        jobs = self.settle(seconds)
        assert {job["id"] for job in jobs} >= submitted
        for job in jobs:
            # an attempt that was lost may have come to its end unheard; none runs twice
            for attempt in range(1, job["attempt"] + 1):
                words = self.said(job["id"], attempt)
                assert words in ([], ["start"], ["start", "end"]), (job["id"], attempt, words)
            if job["state"] == "succeeded":
                assert self.said(job["id"], job["attempt"]) == ["start", "end"], job["id"]
            self._check_events(job)
        self._check_runs(jobs)
        return jobs

    def _check_events(self, job: dict[str, Any]) -> None:
        lines = self.workspace.events(job["id"]).read_text().splitlines()
        events = [json.loads(line) for line in lines]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1)), job["id"]
        states = [e["data"]["state"] for e in events if e["type"] == "state"]
        ends = [state for state in states if state in ("succeeded", "failed", "canceled")]
        assert ends == [job["state"]], (job["id"], states)
        for attempt in range(1, job["attempt"] + 1):
            spooled = [e["spool_seq"] for e in events if e["attempt"] == attempt and e["spool_seq"]]
            assert spooled == list(range(1, len(spooled) + 1)), (job["id"], attempt)

    def _check_runs(self, jobs: list[dict[str, Any]]) -> None:
        up = json.loads(perijove("up", "--json", home=self.home).stdout)
        client = httpx.Client(headers={"Authorization": f"Bearer {up['token']}"}, timeout=60)
        experiments = sorted({job["experiment_id"] for job in jobs})
        found = client.post(
            f"{up['tracking_uri']}/api/2.0/mlflow/runs/search",
            json={"experiment_ids": experiments, "max_results": 5000},
        ).json()
        tags = [
            {tag["key"]: tag["value"] for tag in run["data"]["tags"]} | run["info"]
            for run in found.get("runs", [])
        ]
        counts = Counter(tag.get("perijove.job_id") for tag in tags)
        doubled = {job: n for job, n in counts.items() if n != 1 and job}
        assert not doubled
        status = {tag.get("perijove.job_id"): (tag["run_id"], tag["status"]) for tag in tags}
        words = {"succeeded": "FINISHED", "failed": "FAILED", "canceled": "KILLED"}
        for job in jobs:
            assert status[job["id"]] == (job["run_id"], words[job["state"]]), job["id"]

    def nothing_left(self) -> None:
        """No process of any attempt is left."""
        deadline = time.monotonic() + 15
        while (left := self.runners() + self.kernels()) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not left


class JupyterServer:
    """A Jupyter server with our extension, started again whenever it was killed."""

    def __init__(self, home: Path, folder: Path) -> None:
        self._environ = os.environ | {"PERIJOVE_HOME": str(home), "JUPYTER_TOKEN": "t"}
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._port = free_port()

    def pids(self) -> list[int]:
        """Its process; started if it is gone."""
        if self._process is None or self._process.poll() is not None:
            options = {
                "ServerApp.port": self._port,
                "ServerApp.port_retries": 0,
                "ServerApp.open_browser": False,
                "ServerApp.allow_root": True,
                "ServerApp.root_dir": self._folder,
                "ServerApp.jpserver_extensions": {"perijove": True},
            }
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyter_server"),
                    *(f"--{key}={value}" for key, value in options.items()),
                ],
                env=self._environ,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        return [self._process.pid]

    def jobs(self) -> list[str]:
        """Ids of the jobs it shows; it may have to start first."""
        self.pids()
        deadline = time.monotonic() + 60
        url = f"http://127.0.0.1:{self._port}/perijove/api/jobs?limit=1000"
        with httpx.Client(headers={"Authorization": "token t"}, timeout=30) as client:
            while True:
                try:
                    answer = client.get(url)
                    answer.raise_for_status()
                    return [str(job["id"]) for job in answer.json()]
                except httpx.HTTPError:
                    assert time.monotonic() < deadline, "the Jupyter server does not answer"
                    time.sleep(0.3)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Kill, if it is there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def start_hub(home: Path, **environ: str) -> None:
    """Start a hub with an environment of its own (``PERIJOVE_KILL_AT`` …)."""
    subprocess.run(
        [sys.executable, "-m", "perijove.cli", "up", "--json"],
        env=os.environ | {"PERIJOVE_HOME": str(home)} | environ,
        check=False,
        capture_output=True,
        timeout=90,
    )
