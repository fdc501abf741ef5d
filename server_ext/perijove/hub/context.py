"""What the routes work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from perijove.abc import TaskRunner, Tracker
from perijove.hub.listener import Listener
from perijove.models.workspaces import HubStatus, TargetSummary, WorkspaceFolder
from perijove.services.broker import Broker
from perijove.services.changes import Changes
from perijove.services.compute import ComputeService
from perijove.services.environments import Environments
from perijove.services.experiments import ExperimentService
from perijove.services.instancefiles import FileService
from perijove.services.jobs import JobService
from perijove.services.kernels import KernelService
from perijove.services.notebooks import NotebookService
from perijove.services.power import PowerService
from perijove.services.registry import Registry
from perijove.services.runs import RunService


@dataclass
class Hub:
    """The parts of a running hub."""

    folder: WorkspaceFolder
    url: str
    jobs: JobService
    compute: ComputeService
    power: PowerService
    network: Listener
    kernels: KernelService
    files: FileService
    notebooks: NotebookService
    environments: Environments
    experiments: ExperimentService
    runs: RunService
    models: Registry
    changes: Changes
    tracker: Tracker
    tasks: TaskRunner
    broker: Broker
    status_now: Callable[[], HubStatus]
    stop: Callable[[], None]

    async def status(self) -> HubStatus:
        """What runs; MLflow, which may hang, is asked whether it answers."""
        found = self.status_now()
        if found.tracking_state == "running" and not await self.tracker.ready():
            found.tracking_state = "unreachable"
        return found

    def targets(self) -> list[TargetSummary]:
        """The compute targets, with how many jobs run and wait on each."""
        return [
            TargetSummary(**target.model_dump(include=set(TargetSummary.model_fields)))
            for target in self.compute.all()
        ]


def _hub(request: Request) -> Hub:
    hub: Hub = request.app.state.hub
    return hub


TheHub = Annotated[Hub, Depends(_hub)]
