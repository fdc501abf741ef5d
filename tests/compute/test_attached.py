"""A Dask scheduler that somebody else runs: the contract, and what its owner may do with it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest
from distributed.security import Security

from conftest import free_port, perijove, until, write_notebook
from perijove.abc import ComputeTarget
from perijove.compute.cluster.borrowed import AttachedTarget
from perijove.compute.cluster.checks import check_scheduler
from perijove.errors import Conflict, InvalidInput, Unreachable
from perijove.models.attempts import RUNNER, WORK, RunnerProcess
from perijove.models.compute import NodeState, Resources
from perijove.models.instances import AttachedDefinition, read_definition
from perijove.models.jobs import FailureReason, JobState
from perijove.models.processes import is_alive
from perijove.testing.targets import ComputeTargetContract, RecordingSink

pytestmark = pytest.mark.integration

OLDER = """
from distributed import versions
versions.get_package_info = lambda names: {"distributed": "2024.1.0"}
"""
"""What makes a scheduler say that its Dask is older."""


class Dask:
    """A scheduler and workers with TLS, in processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificates = folder / "certificates"
        self.certificates.mkdir(parents=True)
        made = Security.temporary()
        (self.certificates / "ca.pem").write_text(str(made.tls_ca_file))
        (self.certificates / "cert.pem").write_text(str(made.tls_client_cert))
        (self.certificates / "key.pem").write_text(str(made.tls_client_key))
        self.port = free_port()
        self.address = f"tls://127.0.0.1:{self.port}"
        self.all: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.start_scheduler()

    def start_scheduler(self, *options: str) -> subprocess.Popen[bytes]:
        """The scheduler, at the same port every time."""
        self.scheduler = self._start(
            [*_dask("scheduler"), *("--host", "127.0.0.1", "--port", str(self.port))],
            ["--no-dashboard", "--no-show", *options],
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                break
            time.sleep(0.1)
        return self.scheduler

    def add(
        self,
        name: str,
        *before: str,
        threads: int = 1,
        options: tuple[str, ...] = (),
        **environ: str,
    ) -> subprocess.Popen[bytes]:
        """One more worker, started through `before`."""
        return self._start(
            [*before, *_dask("worker"), self.address, "--host", "127.0.0.1"],
            ["--name", name, "--nthreads", str(threads), "--no-nanny", "--no-dashboard", *options],
            environ,
        )

    def _start(
        self, argv: list[str], more: list[str], environ: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        files = {"ca-file": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
        tls = [x for k, name in files.items() for x in (f"--tls-{k}", self.certificates / name)]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [*argv, *map(str, tls), *more],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=os.environ | (environ or {}),
                start_new_session=True,
            )
        self.all.append(process)
        return process

    def close(self) -> None:
        for process in reversed(self.all):
            process.kill()
            process.wait()


def _dask(what: str) -> list[str]:
    return [sys.executable, "-m", f"distributed.cli.dask_{what}"]


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    made = Dask(tmp_path / "dask")
    try:
        yield made
    finally:
        made.close()


@pytest.mark.asyncio
class TestAttached(ComputeTargetContract):
    patience = 30.0

    @pytest.fixture(autouse=True)
    def _scheduler(self, dask: Dask) -> None:
        self.dask = dask
        self.worker = dask.add("one")

    def make_target(self, folder: Path) -> AttachedTarget:
        definition = AttachedDefinition(
            name="theirs", scheduler=self.dask.address, certificates=str(self.dask.certificates)
        )
        return AttachedTarget(
            folder / "theirs", definition, on=True, lease=30, preload=(), changed=lambda: None
        )

    @asynccontextmanager
    async def started(self, folder: Path) -> AsyncIterator[tuple[ComputeTarget, RecordingSink]]:
        async with super().started(folder) as (target, sink):
            await self.up(target)  # type: ignore[arg-type]
            yield target, sink

    @pytest.fixture(autouse=True)
    def _nothing_left(self, tmp_path: Path) -> Iterator[None]:
        yield
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if str(tmp_path / "theirs") in process.cmdline():
                    process.kill()

    async def up(self, target: AttachedTarget) -> None:
        """Attached, with a worker."""
        await self.until(lambda: target._up.is_set() or target._refusal is not None)
        await target.power(True)
        await self.until(lambda: NodeState.IDLE in [n.state for n in target.nodes_now.nodes])

    async def test_its_workers_are_the_nodes(self, tmp_path: Path) -> None:
        self.dask.add("two", threads=3, options=("--resources", "GPU=1"))
        async with self.started(tmp_path) as (target, sink):
            assert isinstance(target, AttachedTarget)
            await self.until(lambda: len(target.nodes_now.nodes) == 2)
            await self.until(lambda: target.slots == 4)
            sizes = {node.id: (node.cpus, node.gpus) for node in target.nodes_now.nodes}
            assert sizes == {"one": (1, 0), "two": (3, 1)}
            with pytest.raises(Conflict, match="no worker of theirs"):
                target.check(Resources(cpus=5))
            script = "import os; print('GPU', os.environ.get('CUDA_VISIBLE_DEVICES'))"
            spec = self.attempt(tmp_path, script)
            await target.launch(spec.model_copy(update={"resources": Resources(cpus=2, gpus=1)}))
            await self.until(lambda: sink.ends)
            assert self.said(tmp_path, spec) == ["start", "end"]

    async def test_a_killed_worker_loses_its_attempt(self, tmp_path: Path) -> None:
        async with self.started(tmp_path) as (target, sink):
            spec = self.attempt(tmp_path, "time.sleep(600)")
            await target.launch(spec)
            await self.until(lambda: self.said(tmp_path, spec))
            self.worker.kill()
            await self.until(lambda: sink.ends)
            found = self.verdict(spec)
            assert (found.state, found.reason) == (JobState.FAILED, FailureReason.LOST)
            assert "node one died" in (found.message or "")
            self.dask.add("next")
            again = self.attempt(tmp_path)
            await target.launch(again)
            await self.until(lambda: len(sink.ends) == 2)
            assert self.verdict(again).state is JobState.SUCCEEDED

    async def test_without_its_scheduler_it_is_unusable_until_it_is_back(
        self, tmp_path: Path
    ) -> None:
        async with self.started(tmp_path) as (target, sink):
            assert isinstance(target, AttachedTarget)
            runs = self.attempt(tmp_path, "time.sleep(3)")
            await target.launch(runs)
            await self.until(lambda: self.said(tmp_path, runs))
            self.dask.scheduler.kill()
            self.dask.scheduler.wait()
            await self.until(lambda: not target.usable)
            assert "does not answer" in (target.nodes_now.message or "")
            waits = self.attempt(tmp_path)
            await target.launch(waits)
            (tmp_path / "older.py").write_text(OLDER)
            self.dask.start_scheduler("--preload", str(tmp_path / "older.py"))
            self.dask.add("next")
            await self.until(lambda: target.usable)
            assert "has Dask 2024.1.0" in (target.nodes_now.message or "")
            await self.until(lambda: len(sink.ends) == 2)
            # what ran already is not a worker's process, and went on
            for spec in (runs, waits):
                assert self.said(tmp_path, spec) == ["start", "end"]
                assert self.verdict(spec).state is JobState.SUCCEEDED


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", ["no perijove", "no scheduler", "other certificates"])
async def test_what_cannot_be_attached_is_refused(dask: Dask, tmp_path: Path, fault: str) -> None:
    expected: type[Exception] = Unreachable
    shown = dask.certificates
    if fault == "no perijove":
        # a module in the way is as good as none
        (tmp_path / "perijove.py").write_text("raise ImportError('not here')")
        dask.add("bare", PYTHONPATH=str(tmp_path))
        expected = Conflict
    elif fault == "no scheduler":
        dask.scheduler.kill()
    else:
        other = Dask(tmp_path / "other")
        other.close()
        shown = other.certificates
    definition = AttachedDefinition(name="theirs", scheduler=dask.address, certificates=str(shown))
    target = AttachedTarget(
        tmp_path / "theirs", definition, on=True, lease=30, preload=(), changed=lambda: None
    )
    await target.start(RecordingSink())
    try:
        with pytest.raises(expected) as caught:
            await _attach_until_refused(target)
        if fault == "no perijove":
            assert "The worker bare" in str(caught.value)
            assert "has no perijove" in str(caught.value)
    finally:
        await target.destroy()
        await target.close()
    assert not (tmp_path / "theirs").exists()


async def _attach_until_refused(target: AttachedTarget) -> None:
    """The worker may come a little later than the question."""
    for _ in range(200):
        await target.power(True)
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    "given",
    [
        {"scheduler": "tcp://10.0.0.1:8786"},
        {"scheduler": "tls://10.0.0.1"},
        {"scheduler": "tls://10.0.0.1:99999", "certificates": "/x"},
        {"scheduler": "tls://10.0.0.1:8786", "host": "box"},
        {"host": "box", "certificates": "/x"},
    ],
)
def test_what_is_no_address_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"TLS|scheduler"):
        read_definition({"name": "theirs", "kind": "attached"} | given)


def test_certificates_must_be_there(tmp_path: Path) -> None:
    address = "tls://10.0.0.1:8786"
    for folder in (None, str(tmp_path), "relative"):
        definition = AttachedDefinition(name="theirs", scheduler=address, certificates=folder)
        with pytest.raises(InvalidInput) as caught:
            check_scheduler(definition)
        assert caught.value.field == "certificates"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: hides the hub's disk from a worker")
def test_a_worker_with_a_disk_of_its_own(dask: Dask, home: Path, tmp_path: Path) -> None:
    assert perijove("up", home=home).returncode == 0
    hide = 'mount --make-rprivate / && mount -t tmpfs none "$0" && exec "$@"'
    worker = dask.add("apart", "unshare", "--mount", "/bin/sh", "-c", hide, str(home))
    words = ("--scheduler", dask.address, "--certificates", str(dask.certificates))
    done = perijove("compute", "attach", "theirs", *words, "--json", home=home)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["on"] == "dask"
    (tmp_path / "work").mkdir()
    path = write_notebook(
        tmp_path / "work" / "far.ipynb",  # what lies beside a notebook goes with it
        "import mlflow, os\nmlflow.log_metric('seen', 1)",
        "places = f\"{os.getcwd()} {os.environ.get('PERIJOVE_ARTIFACTS')}\"\n"
        "open(os.environ['PERIJOVE_OUTPUTS'] + '/places', 'w').write(places)",
    )
    done = perijove(
        "job", "submit", str(path), "--compute", "theirs", "--wait", "--json", home=home
    )
    job = json.loads(done.stdout)
    assert job["state"] == "succeeded", job
    output = Path(job["output_notebook"]).parent / WORK / "outputs" / "places"
    assert str(home) not in output.read_text()

    # killed, it leaves no runner that goes on for nobody
    path = write_notebook(tmp_path / "work" / "slow.ipynb", "import time\ntime.sleep(600)")
    done = perijove("job", "submit", str(path), "--compute", "theirs", "--json", home=home)
    job = json.loads(done.stdout)
    record = home / "workspaces/default/jobs" / job["id"] / "attempts/1" / RUNNER
    until(record.exists)
    runner = RunnerProcess.model_validate_json(record.read_text())
    kernels = psutil.Process(runner.pid).children(recursive=True)
    worker.kill()
    done = perijove("job", "wait", job["id"], "--json", home=home)
    ended = json.loads(done.stdout)
    assert (ended["state"], ended["reason"]) == ("failed", "lost"), ended
    until(lambda: not is_alive(runner) and not any(kernel.is_running() for kernel in kernels))
    assert perijove("compute", "delete", "theirs", home=home).returncode == 0
