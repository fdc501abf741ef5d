"""A machine that is reached over SSH: prepared by us, with a tunnel back to the hub's gate."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path, PurePosixPath

from pydantic import JsonValue

from perijove.abc import InstanceFiles
from perijove.compute.instance.left import MODULE, LeftAgent, LeftAgents
from perijove.compute.instance.machine import Machine
from perijove.compute.instance.process import mark
from perijove.compute.instance.sftp import SshFiles
from perijove.compute.logs import end_of
from perijove.compute.ssh.connection import SshHost
from perijove.compute.ssh.hostkeys import fingerprint
from perijove.compute.ssh.prepare import prepare
from perijove.compute.ssh.shell import shell_argv
from perijove.errors import Conflict, NotFound, Unreachable
from perijove.models.agents import AGENT_LOG, CONFIG, AgentConfig, GateAddress
from perijove.models.ssh import HostFacts, NodeInstall, SshAddress
from perijove.writing import replace_file

log = logging.getLogger(__name__)

PORT, SAID, AGENT = "port", "prepare.log", "there.json"


class SshMachine(Machine):
    """See the module's docstring."""

    on = "ssh"

    def __init__(
        self, folder: Path, name: str, address: SshAddress, gate: Path, shows_login: bool = True
    ) -> None:
        """`name`: of the agent's folder on the machine; nobody else has it there.

        `shows_login`: do its properties say how people log in?
        """
        self._shows_login = shows_login
        self._folder = folder
        self._name = name
        self._gate = gate
        self._host = SshHost(address, folder / "ssh")
        self._left = LeftAgents(folder.parent)
        self._install: NodeInstall | None = None
        self._host_facts: HostFacts | None = None
        self._port: int | None = None
        self._ports: dict[int, int] = {}
        self._steps: list[str] = []

    async def gate(self) -> tuple[GateAddress, str | None]:
        await self._reach()
        if self._host_facts is None:
            self._host_facts = await self._host.facts()
        if self._install is None:
            self._say(f"Looking at {self._host}.")
            try:
                self._install = await prepare(self._host, self._say)
            finally:
                self._steps.clear()
            await self._left.end(self._host)
        if self._port is None:
            self._port = await self._way_back()
        url = f"http://127.0.0.1:{self._port}"
        return GateAddress(url=url), url

    async def _reach(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        await self._host.open()
        if not self._host.up.is_set():
            why = self._host.error or Unreachable(f"{self._host} cannot be reached.", field="host")
            self._host.retry()
            raise why

    @property
    def waiting(self) -> str | None:
        return self._steps[-1] if self._steps and self._install is None else None

    async def _way_back(self) -> int:
        """The same port as before, if it is free: jobs that run there know it."""
        noted = self._folder / PORT
        with suppress(OSError, ValueError, Conflict):
            return await self._host.forward_back(self._gate, int(noted.read_text()))
        port = await self._host.forward_back(self._gate)
        noted.write_text(str(port))
        return port

    async def start_agent(self, config: AgentConfig) -> None:
        assert self._install is not None
        folder = PurePosixPath(self._install.home) / "agents" / self._name
        there = LeftAgent(python=self._install.python, folder=str(folder))
        replace_file(self._folder / AGENT, there.model_dump_json())
        await self._host.run(["mkdir", "-p", "-m", "700", str(folder)])
        made = self._folder / CONFIG
        replace_file(made, config.model_dump_json())
        await self._host.files().put_file(made, str(folder / CONFIG), 0o600)
        name, _, value = mark(Path(folder)).partition("=")
        # one that runs has the folder's lock; a second one ends at once
        try:
            await self._host.start_detached(
                [self._install.python, "-m", MODULE, str(folder)],
                {name: value},
                str(folder / AGENT_LOG),
                self._host_facts.home if self._host_facts else "/",
            )
        except NotFound:  # somebody has removed it: it is prepared again
            self._install = None
            raise

    async def alive(self) -> bool:
        # nothing can be done while the machine is away; else starting it once more does no harm
        return not self._host.up.is_set()

    async def stop_agent(self) -> None:
        if (agent := self._agent()) is not None:
            await self._reach()
            await agent.end(self._host)

    async def destroy(self) -> None:
        # ended once more: an earlier attempt may not have reached it
        await self.stop_agent()
        if (agent := self._agent()) is not None:
            await agent.remove(self._host)
        await self.close()

    async def leave(self) -> str:
        await self.close()
        if (agent := self._agent()) is None or (key := self._host.address.host_key) is None:
            return "Nothing was started there."
        self._left.note(key, agent)
        return (
            "What runs there ends when the machine is attached again; its agent ends by itself "
            "a day after its last kernel and job."
        )

    async def close(self) -> None:
        await self._host.close()

    async def reach(self, ip: str, port: int, wanted: int | None) -> tuple[str, int]:
        if port not in self._ports:
            try:
                self._ports[port] = await self._host.forward_port(port, wanted)
            except Conflict:
                self._ports[port] = await self._host.forward_port(port)
        return ip, self._ports[port]

    def files(self) -> InstanceFiles:
        return SshFiles(self._host)

    def shell(self) -> list[str]:
        return shell_argv(self._host.address, self._folder / "ssh")

    def properties(self) -> dict[str, JsonValue]:
        address = self._host.address
        found: dict[str, JsonValue] = {"host": str(address)}
        if address.host_key is not None:
            found["host_key_fingerprint"] = fingerprint(address.host_key)
        if address.host_key is not None and self._shows_login:
            found["ssh"] = " ".join(self.shell())
        if self._host_facts is not None:
            found["user"] = self._host_facts.user
            found["disk_free"] = self._host_facts.disk_free
        found["way_back"] = f"127.0.0.1:{self._port}" if self._port else None
        found["step"] = self._steps[-1] if self._steps else None
        return found

    def log_text(self) -> str:
        return end_of(self._folder / SAID)

    def _say(self, text: str) -> None:
        self._steps.append(text)
        with (self._folder / SAID).open("a") as file:
            file.write(text.rstrip("\n") + "\n")
        self.changed()

    def _agent(self) -> LeftAgent | None:
        """The agent there, as it was last started; to end it the machine need not be prepared."""
        try:
            return LeftAgent.model_validate_json((self._folder / AGENT).read_text())
        except (OSError, ValueError):
            return None
