"""The hub's end of a zygote: asks it to fork runners and tasks, and starts a new one when needed.

The protocol is described in `perijove.runner.zygote`. A zygote that does not answer within
`PATIENCE` is given up: the caller starts an ordinary process instead, and a new zygote follows.
If one was given up while it still imported, the next is asked only when it has imported
everything: on a machine that is so busy none would ever come to that end.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from perijove.models.attempts import LOG

log = logging.getLogger(__name__)

PATIENCE = 3.0
"""Seconds a zygote has to answer. The longest import between two answers is well below."""
RESTART_DELAY = 5.0
"""Seconds before a zygote that died is replaced."""
MESSAGE = 1 << 16


def start_cold(folder: str) -> subprocess.Popen[bytes]:
    """The runner of the attempt in `folder` as an ordinary process, where none can be forked."""
    with (Path(folder) / LOG).open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "perijove.runner", folder],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=_environ(),
            start_new_session=True,
        )


def _environ() -> dict[str, str]:
    """Ours, but modules are compiled once and not at each start."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


class Zygote:
    """One zygote process and the socket to it."""

    def __init__(self, preload: Sequence[str], log_file: Path) -> None:
        self._preload = preload
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()
        self.warm = False
        self._busy_machine = False
        self.on_exit: Callable[[int, int], None] = lambda pid, status: None
        self._closing = False

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start the process; it serves as soon as `ready` is set."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs, self._log_file.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "perijove.runner.zygote",
                    "--control-fd",
                    str(theirs.fileno()),
                    "--preload",
                    ",".join(self._preload),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environ(),
                start_new_session=True,
            )
        self._socket = ours
        self._reader = asyncio.create_task(self._read(ours))

    async def close(self) -> None:
        """End the zygote; what it forked lives on."""
        self._closing = True
        if self._socket is not None:
            self._socket.close()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._process is not None:
            try:
                await asyncio.to_thread(self._process.wait, 3)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    async def fork_attempt(self, folder: str, kernel: bool = True) -> int | None:
        """The pid of a runner for the attempt; None: start it the ordinary way.

        `kernel`: its kernel may be one of this Python.
        """
        return await self._ask({"fork": "attempt", "folder": folder, "kernel": kernel})

    async def fork_kernel(self, folder: str) -> int | None:
        """The pid of the kernel launched in `folder`; None as above."""
        return await self._ask({"fork": "kernel", "folder": folder})

    async def fork_task(self, task: str, args: dict[str, Any], result: Path) -> int | None:
        """The pid of a process that does the task and writes `result`; None as above."""
        return await self._ask({"fork": "task", "task": task, "args": args, "result": str(result)})

    async def _ask(self, request: dict[str, Any]) -> int | None:
        if self._socket is None or not self.ready.is_set():
            return None
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await asyncio.get_running_loop().sock_sendall(
                self._socket, json.dumps(request | {"id": number}).encode()
            )
            found = await asyncio.wait_for(answer, PATIENCE)
        except (OSError, TimeoutError) as error:
            log.warning("The zygote does not answer (%r); starting an ordinary process", error)
            self._give_up()
            return None
        finally:
            self._answers.pop(number, None)
        if "pid" not in found:
            log.warning("The zygote could not fork: %s", found.get("error"))
            return None
        return int(found["pid"])

    def _give_up(self) -> None:
        self.ready.clear()
        self._busy_machine = self._busy_machine or not self.warm
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    async def _read(self, control: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                data = await loop.sock_recv(control, MESSAGE)
            except OSError:
                data = b""
            if not data:
                break
            self._heard(json.loads(data))
        self.ready.clear()
        self.warm = False
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError("the zygote ended"))
        if not self._closing:
            asyncio.get_running_loop().create_task(self._restart(control))

    async def _restart(self, control: socket.socket) -> None:
        control.close()
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)
            log.warning("The zygote ended (%s); a new one follows", self._process.returncode)
        await asyncio.sleep(RESTART_DELAY)
        if not self._closing:
            await self.start()

    def _heard(self, message: dict[str, Any]) -> None:
        if "exited" in message:
            self.on_exit(int(message["exited"]), int(message["status"]))
        elif "anew" in message:
            self.ready.clear()
            self.warm = False
        elif "ready" in message:
            self.warm = self.warm or message["ready"] == "all"
            if self.warm or not self._busy_machine:
                self.ready.set()
        elif (waiting := self._answers.get(message.get("id", 0))) and not waiting.done():
            waiting.set_result(message)
