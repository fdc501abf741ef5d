"""A slice of this machine: an agent in a session of its own, limited by control groups where the
machine allows it.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from pydantic import JsonValue

from perijove.compute.instance.limits import Limits
from perijove.compute.instance.machine import Machine
from perijove.compute.instance.process import mark, running
from perijove.compute.logs import end_of, last_line
from perijove.errors import Unreachable
from perijove.models.agents import AGENT_LOG, CONFIG, AgentConfig, GateAddress
from perijove.models.instances import InstanceDefinition
from perijove.models.processes import end_marked
from perijove.writing import replace_file

START = 60.0
"""Seconds an agent has to start."""


class LocalMachine(Machine):
    """See the module's docstring."""

    on = "local"
    shared = True

    def __init__(self, folder: Path, definition: InstanceDefinition, gate: Path) -> None:
        """`gate`: the hub's gate, a Unix socket."""
        self._folder = folder
        self._gate = gate
        # another workspace may have an instance of the same name
        own = sha256(str(folder).encode()).hexdigest()[:12]
        self._limits = Limits(f"{definition.name}-{own}", definition.cpus, definition.memory)
        self._process: subprocess.Popen[bytes] | None = None

    async def gate(self) -> tuple[GateAddress, str | None]:
        return GateAddress(url="http://hub", socket=str(self._gate)), None

    async def start_agent(self, config: AgentConfig) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_file(self._folder / CONFIG, config.model_dump_json())
        if running(self._folder) is not None:
            return
        await asyncio.to_thread(self._start)
        deadline = asyncio.get_running_loop().time() + START
        while running(self._folder) is None:
            late = asyncio.get_running_loop().time() > deadline
            if late or (self._process is not None and self._process.poll() is not None):
                raise Unreachable(f"The agent did not start: {last_line(self.log_text())}")
            await asyncio.sleep(0.02)

    def _start(self) -> None:
        environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        name, _, value = mark(self._folder).partition("=")
        environ[name] = value
        with (self._folder / AGENT_LOG).open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "perijove.compute.instance.agent", str(self._folder)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=Path.home(),
                env=environ,
                start_new_session=True,
            )
        self._limits.apply(self._process.pid)

    async def alive(self) -> bool:
        return running(self._folder) is not None

    async def stop_agent(self) -> None:
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        end_marked(mark(self._folder))
        if self._process is not None:
            self._process.wait()
            self._process = None
        self._limits.end()

    async def destroy(self) -> None:
        await self.stop_agent()

    def shell(self) -> list[str]:
        return [os.environ.get("SHELL", "/bin/sh"), "-l"]

    def properties(self) -> dict[str, JsonValue]:
        return {"limits": self._limits.said}

    def log_text(self) -> str:
        return end_of(self._folder / AGENT_LOG)
