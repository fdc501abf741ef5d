"""The workspace's MLflow: the embedded server and its client, or an existing server's client."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress

from perijove.abc import JobStore, Tracker
from perijove.abc.artifacts import Artifacts
from perijove.abc.records import Records
from perijove.errors import PerijoveError
from perijove.models.jobs import JobState
from perijove.models.workspaces import WorkspaceConfig, WorkspaceFolder
from perijove.services.broker import Broker
from perijove.services.supervisor import Supervisor
from perijove.tracking.api import Api
from perijove.tracking.artifacts import FolderArtifacts, RestArtifacts
from perijove.tracking.connection import HUNG, Connection
from perijove.tracking.existing import RestRecords
from perijove.tracking.records import EmbeddedRecords
from perijove.tracking.registry import RestRegistry
from perijove.tracking.rest import RestTracker
from perijove.tracking.server import MlflowServer

log = logging.getLogger(__name__)

LOOK = 2.0
"""Seconds between two looks: whether MLflow answers, and at the metrics of running jobs on an
existing server."""


class Tracking:
    """What the hub knows of MLflow."""

    def __init__(
        self,
        folder: WorkspaceFolder,
        config: WorkspaceConfig,
        token: str,
        poke: str,
        broker: Broker,
    ) -> None:
        self._broker = broker
        self._answers = True
        self._server: MlflowServer | None = None
        self.fresh = config.tracking_uri is None and not (folder.mlflow / "mlflow.db").exists()
        if config.tracking_uri is None:
            self._server = MlflowServer(folder, poke)
            self._server.bind()
            server = self._server
            uri = server.uri

            def starting() -> bool:
                # one that ended without having served may never do so: nobody waits for that
                return server.state == "starting"

            self.connection = Connection(uri, token=token, embedded=True, starting=starting)
            self.tracker: Tracker = RestTracker(
                uri,
                token=token,
                assigns_run_ids=True,
                artifacts=folder.artifacts,
                starting=starting,
            )
            self.records: Records = EmbeddedRecords(self.connection)
            self.registry = RestRegistry(Api(self.connection, embedded=True), folder.artifacts)
            self.artifacts: Artifacts = FolderArtifacts(self.connection, folder.artifacts)
        else:
            uri, theirs = config.tracking_uri.rstrip("/"), os.environ.get("MLFLOW_TRACKING_TOKEN")
            self.connection = Connection(uri, token=theirs)
            self.tracker = RestTracker(uri, token=theirs)
            self.records = RestRecords(self.connection)
            self.registry = RestRegistry(Api(self.connection))
            self.artifacts = RestArtifacts(self.connection)

    async def start(self) -> None:
        """Start the embedded server; returns when it was asked to, not when it serves."""
        if self._server is not None:
            await self._server.start()

    async def stop(self, leave: bool) -> None:
        """Stop the embedded server, or with `leave` let it serve the jobs that go on."""
        await self.tracker.close()
        await self.connection.close()
        if self._server is not None:
            await (self._server.release() if leave else self._server.stop())

    def state(self, reachable: bool) -> str:
        """``starting | running | unreachable``."""
        if self._server is not None and self._server.state != "running":
            return self._server.state
        return "running" if reachable and self._answers else "unreachable"

    async def attend(self) -> None:
        """Tell those who follow that MLflow went away, or is back, whoever asks it for something
        or not."""
        told = ""
        while True:
            await asyncio.sleep(LOOK)
            if not self._broker.followed:
                self._answers = True  # as far as anybody looked
                continue
            is_up = self._server is None or self._server.state == "running"
            self._answers = not is_up or await self.connection.ready(HUNG)
            if (now := self.state(reachable=True)) != told:
                told = now
                self._broker.changed()

    async def watch(self, store: JobStore, supervisor: Supervisor) -> None:
        """Bring metrics into the event logs of running jobs, where no plug-in pushes them."""
        if self._server is not None:
            return
        told: dict[str, dict[str, int]] = {}
        while True:
            await asyncio.sleep(LOOK)
            running = [job for job in store.active() if job.state is JobState.RUNNING]
            told = {job.id: told.get(job.id, {}) for job in running}
            for job in running:
                if job.run_id is None:
                    continue
                with suppress(PerijoveError):
                    history = await self.tracker.metrics(job.run_id)
                    for key, points in history.items():
                        fresh = points[told[job.id].get(key, 0) :]
                        told[job.id][key] = len(points)
                        await supervisor.metrics(
                            job.id, job.attempt, [{"key": key, **p.model_dump()} for p in fresh]
                        )
