"""How a machine is reached, and its agent started there: the contract of instances' machines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from pydantic import JsonValue

from perijove.abc import InstanceFiles
from perijove.models.agents import AgentConfig, GateAddress


class Machine(ABC):
    """One machine.

    `start_agent` may be called again at any time: it makes good what is missing and leaves alone
    what is there. An agent that runs is never started a second time.
    """

    on: str
    shared = False
    """Do its processes see the hub's files under the same paths, with the same process ids?"""
    relayed = False
    """Do jobs reach MLflow through a port of the agent's own?"""
    open_kernels = False
    """Do kernels listen on the network, where this machine reaches them?"""
    changed: Callable[[], None] = staticmethod(lambda: None)
    """Called when `properties` say something else."""

    @abstractmethod
    async def gate(self) -> tuple[GateAddress, str | None]:
        """Where its agent reaches the hub, and MLflow's URI as it is reached from there (None:
        as the hub says it). Opens what is needed for that.

        Raises
        ------
        Unreachable: there is no way, with the remedy.
        """

    @abstractmethod
    async def start_agent(self, config: AgentConfig) -> None:
        """See that an agent runs with this configuration.

        Raises
        ------
        Unreachable, Conflict, InvalidInput: it cannot; the message says why and what to do.
        """

    @abstractmethod
    async def alive(self) -> bool:
        """Can the agent be there? False: it must be started (again)."""

    async def renew(self) -> None:
        """Somebody wants it up: what has ended by itself may be begun anew."""
        return None

    @property
    def waiting(self) -> str | None:
        """Why it may take long until the agent is there, in words."""
        return None

    async def look(self) -> None:
        """Its agent calls: see now and then what else is to be known of it."""
        return None

    @property
    def ended(self) -> bool:
        """Is it certain that nothing of what ran there is left?"""
        return False

    @property
    def trouble(self) -> str | None:
        """What is wrong with it, beyond that its agent does not call."""
        return None

    @abstractmethod
    async def stop_agent(self) -> None:
        """End the agent and everything it has started; returns when nothing is left that can be
        reached. What it has on its disk stays."""

    @abstractmethod
    async def destroy(self) -> None:
        """Remove what Perijove has put there. Users' files stay."""

    async def leave(self) -> str:
        """It cannot be reached: let go of what runs there; what becomes of that, in words."""
        await self.close()
        return "Nothing of it can be ended from here."

    async def close(self) -> None:
        """Let go without touching anything."""
        return None

    async def reach(self, ip: str, port: int, wanted: int | None) -> tuple[str, int]:
        """A port of the machine, as address and port for this one; the port `wanted`, if that
        is possible."""
        return ip, port

    def files(self) -> InstanceFiles | None:
        """A way to its files; None: its agent brings them."""
        return None

    def shell(self) -> list[str]:
        """The command that opens a shell there."""
        return []

    def properties(self) -> dict[str, JsonValue]:
        """Resource properties: addresses, how to log in, what is limited and what is not."""
        return {}

    def log_text(self) -> str:
        """What the agent has said, as far as it is here."""
        return ""
