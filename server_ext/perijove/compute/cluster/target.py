"""The hub's side of a training cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from pydantic import JsonValue

from perijove.compute.cluster.processtarget import ProcessTarget, TargetOptions
from perijove.errors import Conflict
from perijove.models.compute import ClusterDefinition, Kind, Resources
from perijove.models.instances import Definition
from perijove.models.slurm import SlurmWish, walltime_seconds


class ClusterTarget(ProcessTarget):
    """A training cluster, which scales by itself."""

    kind = Kind.CLUSTER.value
    _definition: ClusterDefinition

    def __init__(
        self, folder: Path, definition: ClusterDefinition, **options: Unpack[TargetOptions]
    ) -> None:
        super().__init__(folder, definition, **options)
        self._definition = definition

    @property
    def slots(self) -> int:
        return self._definition.max_nodes * self._definition.cpus if self._on else 0

    async def power(self, on: bool) -> None:
        if on and self._definition.on == "ssh":
            from perijove.compute.cluster.hosts import must_let_in  # asyncssh takes 0.2 s

            await must_let_in(self._definition)
        await super().power(on)

    def check(self, wanted: Resources, timeout: float | None = None) -> None:
        larger = "Ask for less, or create a cluster with larger nodes."
        wanted.must_fit(self._definition.node, f"a node of {self.name}", larger)
        walltime = self._definition.walltime
        if timeout is not None and walltime is not None and timeout > walltime_seconds(walltime):
            raise Conflict(
                f"The job may take {timeout:g} s, and a node of {self.name} lives for {walltime}.",
                field="timeout",
                remedy="Give it less time, or create a cluster with a longer walltime.",
            )

    def properties(self) -> dict[str, JsonValue]:
        asked, now = self._definition, self._now
        return {
            "cpus": asked.cpus,
            "memory": asked.memory,
            "gpus": asked.gpus,
            "idle_seconds_before_scale_down": asked.idle_seconds_before_scale_down,
            **(
                asked.model_dump(include=set(SlurmWish.model_fields), exclude_none=True)
                if asked.on == "slurm"
                else {}
            ),
            "scheduler": now.scheduler,
            "dashboard": now.dashboard,
            "certificates": now.certificates,
        }

    async def define(self, definition: Definition) -> None:
        assert isinstance(definition, ClusterDefinition)
        self._definition = self._limits = definition
        self._write_definition()
        self._say({"define": definition.model_dump(mode="json")})
