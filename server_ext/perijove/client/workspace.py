"""The workspace: where everything begins."""

from __future__ import annotations

import os
import sys

from perijove.client import displays
from perijove.client.compute import Compute
from perijove.client.discovery import ensure_hub, workspace_folder
from perijove.client.environments import Environments
from perijove.client.experiments import Experiments
from perijove.client.http import HubClient
from perijove.client.jobs import Jobs
from perijove.client.kernels import Kernels
from perijove.client.models import Models
from perijove.client.runs import Runs
from perijove.errors import HubUnreachable
from perijove.models.workspaces import HubStatus, HubUp


class Workspace:
    """A workspace on this machine; its hub is started when it is first needed.

    Parameters
    ----------
    name: default: PERIJOVE_WORKSPACE, else ``default``.
    start: False: use a running hub only.
    """

    def __init__(self, name: str | None = None, *, start: bool = True) -> None:
        self.client = HubClient(workspace_folder(name), start)
        self.name = self.client.folder.name
        self.jobs = Jobs(self.client)
        self.compute = Compute(self.client)
        self.kernels = Kernels(self.client)
        self.environments = Environments(self.client)
        self.experiments = Experiments(self.client)
        self.models = Models(self.client)
        self.runs = Runs(self.client, lambda name: self.experiments.get(name).id)

    @property
    def tracking_uri(self) -> str:
        """MLflow's address, for ``mlflow.set_tracking_uri``."""
        return self.client.info.tracking_uri

    def track(self) -> str:
        """Let MLflow in this process, and in those it starts, log to the workspace; its address.

        A job is there already: nothing changes in one.
        """
        if "PERIJOVE_JOB_ID" not in os.environ:
            os.environ["MLFLOW_TRACKING_URI"] = self.tracking_uri
            os.environ["MLFLOW_TRACKING_TOKEN"] = self.client.info.token
            if (mlflow := sys.modules.get("mlflow")) is not None:
                mlflow.set_tracking_uri(self.tracking_uri)
        return os.environ["MLFLOW_TRACKING_URI"]

    def up(self) -> HubUp:
        """Start the hub if it does not run."""
        info, _ = ensure_hub(self.client.folder)
        return HubUp.model_validate(info.model_dump(include=set(HubUp.model_fields)))

    def listen(self, address: str | None) -> str | None:
        """Let nodes of other machines reach the hub over TLS at an address of this machine
        (``address[:port]``); None: no longer. Where it listens now."""
        found = self.client.request("POST", "/listen", json={"address": address})
        return None if found["address"] is None else str(found["address"])

    def status(self) -> HubStatus:
        """What runs."""
        return HubStatus.model_validate(self.client.request("GET", "/status"))

    def close(self) -> None:
        """Release connections; the hub goes on."""
        self.client.close()

    def _repr_html_(self) -> str:
        # who only looks starts no hub
        client = HubClient(self.client.folder, start=False)
        try:
            status = client.request("GET", "/status")
        except HubUnreachable:
            status = None
        finally:
            client.close()
        return displays.workspace(self.name, status)

    def __repr__(self) -> str:
        return f"Workspace({self.name!r})"
