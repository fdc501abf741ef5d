"""Where attempts run: the contract of compute targets, and of those who make them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import JsonValue

from perijove.abc.machines import InstanceFiles, KernelHost
from perijove.models.agents import AgentHello, AgentReport, GateAddress
from perijove.models.attempts import AttemptSpec
from perijove.models.compute import ClusterState, Node, Resources
from perijove.models.events import SpoolEvent
from perijove.models.instances import Definition
from perijove.models.workspaces import TargetSummary


class AttemptSink(Protocol):
    """Where a compute target delivers what happens to its attempts.

    Delivery is at least once and in order; the sink drops numbers it already has.
    """

    async def events(self, job_id: str, attempt: int, events: Sequence[SpoolEvent]) -> None:
        """New lines of the attempt's spool."""

    async def ended(self, job_id: str, attempt: int) -> None:
        """The attempt's processes are gone and its spool is delivered completely."""


class ComputeTarget(ABC):
    """A place where attempts run.

    Guarantees every target gives:

    1. ``launch`` is idempotent per (job, attempt): two calls make one runner at most.
    2. After ``launch`` or ``adopt`` returned, ``sink.ended`` is called exactly when no process
       of the attempt is left, even if the runner died without a word.
    3. An attempt whose runner died without a verdict gets one (*lost*) before ``ended``.
    4. ``cancel`` returns when no process of the attempt is left; calling it for an attempt that
       is unknown or over does nothing.
    """

    name: str
    kind: str

    @abstractmethod
    async def start(self, sink: AttemptSink) -> None:
        """Make ready; called once, before anything else."""

    @abstractmethod
    async def close(self) -> None:
        """Let go without touching running attempts."""

    @property
    @abstractmethod
    def slots(self) -> int:
        """Attempts that may run at once."""

    @abstractmethod
    async def launch(self, spec: AttemptSpec) -> None:
        """Start the attempt's runner."""

    @abstractmethod
    async def adopt(self, spec: AttemptSpec) -> bool:
        """Take over an attempt launched by an earlier hub; False: it was never launched."""

    @abstractmethod
    async def cancel(self, job_id: str, attempt: int) -> None:
        """End the attempt's whole process group and wait until it is gone."""

    def is_untaken(self, folder: Path) -> bool:
        """Is it sure that no runner has taken the attempt of this folder?"""
        return False

    @abstractmethod
    def summary(self) -> TargetSummary:
        """Its state in a few figures."""

    @property
    def nodes(self) -> list[Node]:
        """Its machines, as last heard; empty: none is up, or it does not tell them apart."""
        return []

    @property
    def kernels(self) -> KernelHost | None:
        """What holds its kernels; None: it runs jobs only."""
        return None

    @property
    def files(self) -> InstanceFiles | None:
        """Its files; None: it has none to show."""
        return None

    async def poke(self, job_id: str, attempt: int) -> None:
        """The attempt's runner says that there is something to read."""
        return None

    def shell(self) -> list[str]:
        """The command that opens a shell there, to be run on the hub's machine; empty: none."""
        return []

    def check(self, wanted: Resources, timeout: float | None = None) -> None:
        """Could a job that needs this, for so many seconds, ever run here?

        Raises
        ------
        Conflict: no, with the field at fault.
        """
        return None


class ManagedTarget(ComputeTarget):
    """A target that users create, start, stop, scale and delete."""

    @property
    @abstractmethod
    def nodes_now(self) -> ClusterState:
        """Its nodes, as last heard, and what keeps them."""

    @property
    def nodes(self) -> list[Node]:
        return self.nodes_now.nodes

    @abstractmethod
    async def power(self, on: bool) -> None:
        """Bring it up, or end all of its nodes; returns when that is so.

        Raises
        ------
        Unreachable: it did not come up; the message says why.
        """

    @abstractmethod
    async def define(self, definition: Definition) -> None:
        """Give it other limits."""

    @abstractmethod
    async def destroy(self, abandon: bool = False) -> str | None:
        """End everything, and remove what it has kept on disk.

        With `abandon` a machine that is away is left alone; returns what becomes of it, in words.

        Raises
        ------
        Unreachable: its machine is away.
        """

    @abstractmethod
    def log_text(self) -> str:
        """The end of what it and its nodes have said."""

    def properties(self) -> dict[str, JsonValue]:
        """What it can say of itself now: addresses, links, how to log in."""
        return {}

    @property
    def usable(self) -> bool:
        """Can it take work, or will it soon? False: something is wrong, see its message."""
        return True

    @property
    def in_use(self) -> list[str]:
        """What keeps it from being idle, in words."""
        return []


class AgentTarget(ABC):
    """A target whose machine calls the hub."""

    @property
    @abstractmethod
    def shared(self) -> bool:
        """Is its machine the hub's own?"""

    @abstractmethod
    def link(self, hello: AgentHello) -> AsyncIterator[bytes]:
        """The commands for its agent, a JSON object a line, as long as the agent listens."""

    @abstractmethod
    def hang_up(self) -> None:
        """End the link; the agent will call again."""

    @abstractmethod
    async def report(self, report: AgentReport) -> None:
        """What its agent tells."""

    @abstractmethod
    def tidy(self) -> None:
        """Have environments removed from its machine that there are no more."""

    @abstractmethod
    def delivered(self, job_id: str, attempt: int) -> None:
        """Everything of the attempt is in its folder on the hub's machine, and nothing runs."""


class TargetMaker(Protocol):
    """Makes the targets of one kind: what a plug-in's entry point in ``perijove.compute`` is."""

    kind: str

    async def check(self, definition: Definition) -> None:
        """Could this be made here?

        Raises
        ------
        InvalidInput, Conflict, NotFound: no, with the field at fault.
        """

    def make(self, definition: Definition, workshop: Workshop, on: bool) -> ManagedTarget:
        """The target, not started; `on`: it is meant to run."""


@dataclass(frozen=True)
class Workshop:
    """What a hub gives to those who make targets."""

    folder: Path
    """A folder of the target's own."""
    files: Path
    """A folder for users' files, where its machine has no disk of its own. It is never removed."""
    name: str
    """What it may call what it makes on other machines: nobody else has this name there."""
    lease: float
    preload: Sequence[str]
    """Modules to import ahead, where kernels are forked."""
    gate: Path
    """The Unix socket on which agents call the hub."""
    network_gate: Callable[[], GateAddress | None]
    """The gate's TLS listener, if the owner has turned it on."""
    agent_token: str
    attempt_token: Callable[[str, int], str]
    tracking_uri: str
    changed: Callable[[], None]
    """To be called when the target's state is another one."""
    environments: Callable[[], Sequence[str]] | None = None
    """Digests of the environments that there are; others are removed from its machine."""
    warm_start: bool = True
    """Are runners and kernels forked there, or each started the ordinary way?"""
