"""The embedded MLflow server: a child process of the hub that outlives it and is adopted again.

The hub binds the socket and the server inherits it. Clients that come before MLflow is up wait in
the socket's queue instead of being refused, and a server that died is replaced behind it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import Any

import httpx

from perijove.models.attempts import RunnerProcess
from perijove.models.processes import boot_id, is_alive, start_time
from perijove.models.workspaces import WorkspaceFolder

log = logging.getLogger(__name__)

LOG_BYTES = 10 * 1024 * 1024
BACK_OFF = (0.2, 5.0)
STOP_GRACE = 5.0


class MlflowServer:
    """Supervises the server of one workspace."""

    def __init__(self, folder: WorkspaceFolder, poke: str | None) -> None:
        self._folder = folder
        self._poke = poke
        self._record = folder.mlflow / "server.json"
        self._listener: socket.socket | None = None
        self._process: RunnerProcess | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._port = 0
        self.state = "starting"

    @property
    def uri(self) -> str:
        """What clients use; the same after every restart."""
        return f"http://127.0.0.1:{self._port}"

    def bind(self) -> None:
        """Take the workspace's port, or adopt the server that has it."""
        self._folder.mlflow.mkdir(parents=True, exist_ok=True)
        known = self._read()
        self._port = int(known.get("port", 0))
        if "process" in known:
            process = RunnerProcess.model_validate(known["process"])
            if is_alive(process):
                self._process = process
                self.state = "running"
                return
        self._listen()

    async def start(self) -> None:
        """Start the server, unless one was adopted, and keep it running."""
        if self._process is None:
            self._spawn()
        self._watch = asyncio.create_task(self._supervise())

    async def release(self) -> None:
        """Let the server run on without this hub."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()

    async def stop(self) -> None:
        """End the server and wait until it is gone."""
        await self.release()
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if is_alive(self._process):
                with suppress(ProcessLookupError):
                    os.kill(self._process.pid, number)
                await self._gone(STOP_GRACE)
        self._record.write_text(json.dumps({"port": self._port}))

    async def ready(self) -> bool:
        """Does it answer?"""
        try:
            async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
                # any answer will do, and without a token it costs nothing
                return (await client.get(f"{self.uri}/health")).status_code == 401
        except httpx.HTTPError:
            return False

    async def _supervise(self) -> None:
        delay = BACK_OFF[0]
        while True:
            while self._process is not None and is_alive(self._process):
                if self.state != "running" and await self.ready():
                    self.state, delay = "running", BACK_OFF[0]
                    log.info("MLflow serves at %s", self.uri)
                await asyncio.sleep(0.1 if self.state != "running" else 0.5)
                if self._child is not None:
                    self._child.poll()
            self.state = "starting"
            log.warning("The MLflow server ended; it is started again")
            await asyncio.sleep(delay)
            delay = min(BACK_OFF[1], delay * 2)
            if self._listener is None:
                self._listen()
            self._spawn()

    def _listen(self) -> None:
        for port in (self._port, 0):
            listener = socket.socket(proto=socket.IPPROTO_TCP)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
                listener.listen(1024)
            except OSError:
                listener.close()
                log.warning("Port %s is taken by somebody else; MLflow gets another one", port)
                continue
            self._listener, self._port = listener, listener.getsockname()[1]
            return

    def _spawn(self) -> None:
        assert self._listener is not None
        path = self._folder.mlflow / "mlflow.log"
        if path.exists() and path.stat().st_size > LOG_BYTES:
            shutil.move(path, path.with_suffix(".log.1"))
        descriptor = self._listener.fileno()
        with path.open("ab") as output:
            self._child = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "uvicorn",
                    "--factory",
                    "perijove.tracking.app:create_app",
                    "--fd",
                    str(descriptor),
                    "--log-level",
                    "warning",
                    "--no-access-log",
                ],
                pass_fds=[descriptor],
                cwd=self._folder.mlflow,
                env=self._environ(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        started = start_time(self._child.pid)
        self._process = RunnerProcess(
            pid=self._child.pid, start_time=started or 0, boot_id=boot_id()
        )
        known = {"port": self._port, "process": self._process.model_dump()}
        self._record.write_text(json.dumps(known))

    def _environ(self) -> dict[str, str]:
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("MLFLOW_", "_MLFLOW")) and key != "PYTHONDONTWRITEBYTECODE"
        }
        folder = self._folder.mlflow
        kept |= {
            "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder / 'mlflow.db'}",
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "artifacts"),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "PERIJOVE_SECRETS": str(self._folder.secrets),
            "PERIJOVE_JOBS": str(self._folder.jobs),
        }
        return kept | ({"PERIJOVE_POKE": self._poke} if self._poke else {})

    def _read(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._record.read_text())
        except (OSError, ValueError):
            return {}
        return found

    async def _gone(self, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while self._process is not None and is_alive(self._process):
            if asyncio.get_running_loop().time() > deadline:
                return
            if self._child is not None:
                self._child.poll()
            await asyncio.sleep(0.02)
