"""The embedded MLflow server: a child process of the hub that outlives it and is adopted again.

The hub binds the socket and the server inherits it. Clients that come before MLflow is up wait in
the socket's queue instead of being refused, and a server that died is replaced behind it. A hub
that adopts a running server has no such socket; it reserves the port with one that is bound and
does not listen yet, so that nobody else gets the port, and the owner's token with it.
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
from pathlib import Path
from typing import Any

import psutil

from perijove.models.attempts import RunnerProcess
from perijove.models.processes import boot_id, is_alive, start_time
from perijove.models.workspaces import WorkspaceFolder
from perijove.writing import replace_file

log = logging.getLogger(__name__)

APP = "perijove.tracking.app:create_app"
COMMAND = [
    *(sys.executable, "-m", "uvicorn", "--factory", APP),
    *("--ws", "none", "--lifespan", "off", "--timeout-graceful-shutdown", "3"),
    *("--log-level", "warning", "--no-access-log"),
]
# without "lifespan" MLflow looks for containers to remove, of an assistant that is switched off
LOG_BYTES = 10 * 1024 * 1024
BACK_OFF = (0.2, 5.0)
"""Seconds before a server that died is replaced: the first time, and at most."""
STOP_GRACE = 5.0
BACKLOG = 1024


class MlflowServer:
    """Supervises the server of one workspace.

    ``state`` is *starting* until it serves, *running*, or *unreachable* once it ended without
    ever having served; it is started again all the same.
    """

    def __init__(self, folder: WorkspaceFolder, poke: str | None) -> None:
        self._folder = folder
        self._poke = poke
        self._record = folder.mlflow / "server.json"
        self._socket: socket.socket | None = None
        self._process: RunnerProcess | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._port = 0
        self.state = "starting"

    @property
    def uri(self) -> str:
        """What clients use; the same after every restart."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """The server's process, while there is one."""
        return None if self._process is None else self._process.pid

    def bind(self) -> None:
        """Take the workspace's port, or adopt the server that has it.

        Another port is taken only if a process of somebody else's has this one.
        """
        self._folder.mlflow.mkdir(parents=True, exist_ok=True)
        known = self._read()
        self._port = int(known.get("port", 0))
        process = RunnerProcess.model_validate(known["process"]) if "process" in known else None
        if process is None or not is_alive(process):
            self._socket = _bound(self._port)
            if self._socket is not None:
                self._listen()
                return
            # a hub that was killed between starting it and noting it leaves an unknown server
            process = self._find()
        if process is None:
            log.warning("Port %s is taken by somebody else; MLflow gets another one", self._port)
            self._socket = _bound(0)
            if self._socket is None:
                raise OSError("no port is free on 127.0.0.1")
            self._listen()
            return
        self._process, self.state = process, "running"
        self._socket = _reserved(self._port)
        self._note()
        log.info("MLflow serves at %s already (process %s)", self.uri, process.pid)

    async def start(self) -> None:
        """Start the server, unless one was adopted, and keep it running."""
        if self._socket is None and self._process is None:
            self.bind()
        if self._process is None:
            self._spawn()
        self._watch = asyncio.create_task(self._supervise())

    async def release(self) -> None:
        """Let the server run on without this hub."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()

    async def stop(self) -> None:
        """End the server and wait until it is gone."""
        await self.release()
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process is not None and is_alive(self._process):
                with suppress(ProcessLookupError):
                    os.kill(self._process.pid, number)
                with suppress(TimeoutError):
                    async with asyncio.timeout(STOP_GRACE):
                        await self._ended()
        self._process = None
        self._note()

    async def ready(self) -> bool:
        """Does it answer within two seconds?"""
        try:
            async with asyncio.timeout(2):
                return await self._answers()
        except TimeoutError:
            return False

    async def _answers(self) -> bool:
        """Ask it and wait, without end: the question waits in the queue until it is up."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        try:
            # any answer will do, and without a token it costs nothing
            writer.write(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return b" 401 " in await reader.readline()
        except OSError:
            return False
        finally:
            writer.close()

    async def _supervise(self) -> None:
        delay = BACK_OFF[0]
        while True:
            waiting = asyncio.create_task(self._serve())
            try:
                await self._ended()
            finally:
                waiting.cancel()
            served = self.state == "running"
            delay = BACK_OFF[0] if served else min(BACK_OFF[1], delay * 2)
            self.state = "starting" if served else "unreachable"
            log.warning(
                "The MLflow server ended%s; it is started again, see %s",
                "" if served else " before it served",
                self._log,
            )
            self._process = None
            while self._process is None:
                try:
                    self._listen()  # at once: who comes now waits instead of being refused
                    await asyncio.sleep(delay)
                    self._spawn()
                except OSError as error:
                    self.state, delay = "unreachable", BACK_OFF[1]
                    log.error("The MLflow server cannot be started at %s: %s", self.uri, error)
                    await asyncio.sleep(delay)

    async def _serve(self) -> None:
        while not await self._answers():
            await asyncio.sleep(0.1)
        if self.state != "running":
            self.state = "running"
            log.info("MLflow serves at %s", self.uri)

    async def _ended(self) -> None:
        """Return when the process is gone."""
        process = self._process
        if process is None:
            return
        loop, gone = asyncio.get_running_loop(), asyncio.Event()
        descriptor: int | None = None
        with suppress(AttributeError, OSError):  # no Linux, or it is gone
            descriptor = os.pidfd_open(process.pid)
            loop.add_reader(descriptor, gone.set)
        try:
            while self._is_alive(process):
                with suppress(TimeoutError):
                    async with asyncio.timeout(5 if descriptor is not None else 0.2):
                        await gone.wait()
                if gone.is_set():
                    await asyncio.sleep(0.005)  # its exit is seen before its state changes
        finally:
            if descriptor is not None:
                loop.remove_reader(descriptor)
                os.close(descriptor)

    def _is_alive(self, process: RunnerProcess) -> bool:
        if self._child is not None and self._child.pid == process.pid:
            return self._child.poll() is None
        return is_alive(process)

    def _listen(self) -> None:
        """Raises OSError when somebody else took the port of a server that was adopted."""
        if self._socket is None:
            self._socket = _bound(self._port)
        if self._socket is None:
            raise OSError(f"port {self._port} is taken by somebody else")
        self._socket.listen(BACKLOG)
        self._port = self._socket.getsockname()[1]

    def _spawn(self) -> None:
        assert self._socket is not None
        self._note()
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES:
            shutil.move(self._log, self._log.with_suffix(".log.1"))
        descriptor = self._socket.fileno()
        with self._log.open("ab") as output:
            self._child = subprocess.Popen(
                [*COMMAND, "--fd", str(descriptor)],
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
        self._note()

    @property
    def _log(self) -> Path:
        return self._folder.mlflow / "mlflow.log"

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
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(self._folder.artifacts),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
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

    def _note(self) -> None:
        """Write the port and the process down, as one step."""
        known: dict[str, Any] = {"port": self._port}
        if self._process is not None:
            known["process"] = self._process.model_dump()
        replace_file(self._record, json.dumps(known))

    def _find(self) -> RunnerProcess | None:
        """A server of this workspace that nobody noted."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if APP not in process.cmdline():
                    continue
                started = start_time(process.pid)
                theirs = process.environ().get("PERIJOVE_SECRETS")
                if theirs == str(self._folder.secrets) and started is not None:
                    return RunnerProcess(pid=process.pid, start_time=started, boot_id=boot_id())
        return None


def _bound(port: int) -> socket.socket | None:
    """A socket bound to a port that nobody listens on; None: somebody does."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return None
    return _reserved(port)


def _reserved(port: int) -> socket.socket | None:
    """A socket bound to the port, beside a listening one of the same user if need be."""
    found = socket.socket(proto=socket.IPPROTO_TCP)
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        found.setsockopt(socket.SOL_SOCKET, option, 1)
    # connections inherit it; uvicorn takes an inherited socket for a Unix one and does not set it,
    # and then every answer waits 40 ms for an acknowledgement
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        found.bind(("127.0.0.1", port))
    except OSError:
        found.close()
        return None
    return found
