"""Agents on machines that could not be reached when their targets were deleted.

Each is noted beside the targets' folders, and ended when its machine, known by its host key, is
reached again.
"""

from __future__ import annotations

import logging
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel

from perijove.compute.ssh.connection import SshHost
from perijove.errors import PerijoveError, Unreachable
from perijove.writing import replace_file

log = logging.getLogger(__name__)

MODULE = "perijove.compute.instance.agent"
END = 60.0
"""Seconds a machine has to end everything."""


class LeftAgent(BaseModel):
    """An agent on a machine: its Python and its folder there."""

    python: str
    folder: str

    async def end(self, host: SshHost) -> None:
        """End it, and everything it has started.

        Raises
        ------
        Unreachable: the machine is away, or did not do it.
        """
        done = await host.run([self.python, "-m", MODULE, "--end", self.folder], timeout=END)
        if done.code:
            raise Unreachable(f"{host} did not end its agent: {done.err.strip()[-300:]}")

    async def remove(self, host: SshHost) -> None:
        """Remove its folder."""
        await host.run(["rm", "-rf", "--", self.folder])


class LeftAgents:
    """The notes in `folder`, which all targets of a workspace share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / ".left"

    def note(self, host_key: str, agent: LeftAgent) -> None:
        """It is to be ended on the machine with this key."""
        self._of(host_key).mkdir(parents=True, exist_ok=True)
        replace_file(self._of(host_key) / Path(agent.folder).name, agent.model_dump_json())

    async def end(self, host: SshHost) -> None:
        """End what was left on this machine; what does not end is tried again next time."""
        if host.address.host_key is None:
            return
        for note in self._of(host.address.host_key).glob("*"):
            agent = LeftAgent.model_validate_json(note.read_text())
            try:
                await agent.end(host)
                await agent.remove(host)
            except PerijoveError as error:
                log.warning("%s has still what was left there: %s", host, error)
            else:
                note.unlink()

    def _of(self, host_key: str) -> Path:
        """By type and key, whatever comment follows."""
        return self._folder / sha256(" ".join(host_key.split()[:2]).encode()).hexdigest()[:32]
