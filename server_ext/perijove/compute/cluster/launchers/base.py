"""What a launcher is: how nodes come up and go on one kind of machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from distributed.deploy.spec import ProcessInterface

from perijove.models.agents import GateAddress
from perijove.models.compute import ClusterDefinition


class ManagedNode(ProcessInterface):
    """A node as its launcher knows it. Dask knows it only from when its worker is there.

    `start` and `close` begin what they do and return soon, and do not raise: a batch system may
    take its time, and `ended` says what went wrong.
    """

    def __init__(self, scheduler: str, name: str, launcher: Any) -> None:
        super().__init__(scheduler=scheduler, name=name)
        self.scheduler = scheduler
        self.id = str(name)
        self.launcher = launcher

    def ended(self) -> str | None:
        """Why there is nothing of it any more, or never will be; None: there may be."""
        return None

    def waits(self) -> str | None:
        """What it waits for until it can begin to start; None: nothing."""
        return None

    def remaining(self) -> float | None:
        """Seconds until it is taken away; None: it is not."""
        return None


class Launcher:
    """Makes the nodes of one cluster. `node` is what Dask's `SpecCluster` makes them with."""

    node: ClassVar[type[ManagedNode]]
    far = False
    """Are its nodes other machines, which share this one's disk?"""

    def __init__(self, folder: Path, definition: ClusterDefinition) -> None:
        self.folder = folder
        self.definition = definition
        """The limits as they are now."""

    async def open(self) -> str:
        """Make ready; the address that the scheduler listens on."""
        return "127.0.0.1"

    async def close(self) -> None:
        """All nodes were closed: return when nothing of them is left."""

    def gate(self, name: str) -> GateAddress | None:
        """How that node reaches the hub; None: it shares this machine's disk."""
        return None

    def hub_is(self, gate: GateAddress) -> None:
        """Where the hub's gate is on this machine."""

    @property
    def message(self) -> str | None:
        """What hinders it now."""
        return None
