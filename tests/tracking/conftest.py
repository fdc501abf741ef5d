"""Real MLflow servers, each started once: the embedded one, and one that anybody runs."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pytest

from perijove.models.attempts import STATUS
from perijove.models.processes import runtime_dir
from perijove.models.tokens import AttemptToken, sign
from perijove.models.workspaces import WorkspaceFolder
from perijove.tracking.server import MlflowServer
from tracking.plain import plain_mlflow
from tracking.registry import Bench

API = "/api/2.0/mlflow"
OWNER, KEY = "owner-token", "signing-key"
T = TypeVar("T")


def make_folder(home: Path) -> WorkspaceFolder:
    """A workspace folder with secrets."""
    folder = WorkspaceFolder(home, "default")
    folder.jobs.mkdir(parents=True)
    folder.secrets.write_text(json.dumps({"token": OWNER, "signing_key": KEY}))
    return folder


def attempt_token(folder: WorkspaceFolder, run_id: str = "", job_id: str | None = None) -> str:
    """The token of a running attempt."""
    job_id = job_id or uuid4().hex
    folder.attempt(job_id, 1).mkdir(parents=True, exist_ok=True)
    return sign(AttemptToken(job_id=job_id, attempt=1, run_id=run_id), KEY)


def end_attempt(folder: WorkspaceFolder, job_id: str, seconds_ago: float) -> None:
    """Give the attempt a verdict."""
    status = folder.attempt(job_id, 1) / STATUS
    status.write_text("{}")
    moment = time.time() - seconds_ago
    os.utime(status, (moment, moment))


async def until(condition: Callable[[], Awaitable[bool] | bool], seconds: float = 60) -> None:
    """Wait for the condition; fails after `seconds`, which are only there so that it ends."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if found is True or (not isinstance(found, bool) and await found):
                return
            await asyncio.sleep(0.05)


class Served:
    """A server that runs, supervised by a loop in a thread."""

    def __init__(self, home: Path) -> None:
        self.folder = make_folder(home)
        path = runtime_dir() / f"test-{uuid4().hex[:12]}.poke"
        self.pokes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.pokes.bind(str(path))
        self.pokes.setblocking(False)
        self._changes: list[dict[str, Any]] = []
        self._path = path
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.server = MlflowServer(self.folder, str(path))
        self.run(self.server.start())
        self.run(until(lambda: self.server.state == "running"))
        self.uri = self.server.uri

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    def stop(self) -> None:
        self.run(self.server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self.pokes.close()
        self._path.unlink()

    def client(self, token: str | None = OWNER) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.uri, headers=headers, timeout=60, trust_env=False)

    def post(self, path: str, body: Any, token: str = OWNER) -> httpx.Response:
        with self.client(token) as client:
            return client.post(f"{API}/{path}", json=body)

    def make_run(self, job_id: str | None = None) -> str:
        """A run with an id of our choice, as the hub makes it."""
        run_id = uuid4().hex
        tags = {"perijove.run_id": run_id, "perijove.job_id": job_id or uuid4().hex}
        body = {
            "experiment_id": "0",
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        made = self.post("runs/create", body).json()
        assert made["run"]["info"]["run_id"] == run_id
        return run_id

    def datagrams(self) -> list[dict[str, Any]]:
        """What has arrived of metrics; that is there before the answer to its request is."""
        found = []
        while True:
            try:
                message = json.loads(self.pokes.recv(1 << 16))
            except BlockingIOError:
                return found
            if "tracking" in message:
                self._changes.append(message["tracking"])
            else:
                found.append(message)

    def changes(self) -> list[dict[str, Any]]:
        """What MLflow said of changes since it was asked last."""
        self.datagrams()
        found, self._changes = self._changes, []
        return found

    def python(self, code: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run user code as a job's process does."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
        kept |= {"MLFLOW_TRACKING_URI": self.uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
        kept["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env=kept | environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("mlflow"))
    yield served
    served.stop()


@pytest.fixture(scope="session")
def existing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that is not ours."""
    with plain_mlflow(tmp_path_factory.mktemp("existing")) as uri:
        yield uri


@pytest.fixture(params=["embedded", "existing"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """The registry on a server of each kind."""
    if request.param == "existing":
        return Bench(request.getfixturevalue("existing"), None, None, tmp_path / "uploads")
    served: Served = request.getfixturevalue("mlflow")
    return Bench(served.uri, OWNER, served.folder.artifacts, tmp_path / "uploads")


@pytest.fixture(scope="module")
def make(mlflow: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Stores of both kinds: ``make("rest")``, ``make("spool")``."""
    from mlflow.store.tracking.rest_store import RestStore
    from mlflow.utils.credentials import get_default_host_creds

    from perijove.tracking.jobstore import SpoolingStore

    folder = tmp_path_factory.mktemp("attempt")
    patch = pytest.MonkeyPatch()
    patch.setenv("MLFLOW_TRACKING_TOKEN", attempt_token(mlflow.folder))
    patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    patch.delenv("PERIJOVE_RUN_ID", raising=False)
    credentials = partial(get_default_host_creds, mlflow.uri)

    def made(kind: str) -> Any:
        if kind == "rest":
            return RestStore(credentials)
        return SpoolingStore(credentials, str(folder / "mlflow.spool"))

    yield made
    patch.undo()
