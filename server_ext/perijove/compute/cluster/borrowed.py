"""The hub's side of an attached scheduler; see `attached` for its process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from pydantic import JsonValue

from perijove.compute.cluster.processtarget import ProcessTarget, TargetOptions
from perijove.errors import Conflict
from perijove.models.compute import Kind, Node, NodeState, Resources
from perijove.models.instances import AttachedDefinition, Definition


class AttachedTarget(ProcessTarget):
    """A Dask scheduler that somebody else runs, used as it is."""

    kind = Kind.ATTACHED.value

    def __init__(
        self, folder: Path, definition: AttachedDefinition, **options: Unpack[TargetOptions]
    ) -> None:
        super().__init__(folder, definition, **options)
        self._definition = definition

    @property
    def slots(self) -> int:
        return (self._definition.cpus or sum(n.cpus for n in self._usable)) if self._on else 0

    @property
    def usable(self) -> bool:
        return self._now.reachable

    @property
    def _usable(self) -> list[Node]:
        return [node for node in self._now.nodes if node.state is not NodeState.UNUSABLE]

    def check(self, wanted: Resources, timeout: float | None = None) -> None:
        nodes = self._usable
        if not nodes or any(wanted.fits(node) for node in nodes):
            return  # without any it waits for one
        raise Conflict(
            f"The job needs {_said(wanted)}, and no worker of {self.name} has that.",
            field=_field(wanted, nodes),
            remedy="Ask for less, or start a larger worker.",
        )

    def properties(self) -> dict[str, JsonValue]:
        return {
            "scheduler": self._definition.scheduler,
            "dashboard": self._now.dashboard,
            "certificates": self._definition.certificates,
        }

    async def define(self, definition: Definition) -> None:
        assert isinstance(definition, AttachedDefinition)
        self._definition = self._limits = definition
        self._write_definition()
        self._say({"define": definition.model_dump(mode="json")})


def _said(wanted: Resources) -> str:
    found = [f"{count} {name}" for name, count in wanted.model_dump().items() if count]
    return ", ".join(found)


def _field(wanted: Resources, nodes: Sequence[Node]) -> str:
    """What is too much for every node by itself, if something is."""
    for name in ("cpus", "gpus", "memory"):
        asked, has = getattr(wanted, name), [getattr(node, name) for node in nodes]
        if asked is not None and None not in has and asked > max(has):
            return name
    return "cpus"
