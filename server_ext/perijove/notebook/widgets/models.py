"""MLflow's model registry as a widget."""

from __future__ import annotations

from typing import Any

import traitlets as t

from perijove.client import displays
from perijove.client.http import HubClient
from perijove.client.workspace import Workspace
from perijove.notebook.widgets.base import PerijoveWidget


class ModelRegistry(PerijoveWidget):
    """The registered models; the versions of the selected one.

    Parameters
    ----------
    model: the one selected at first.
    """

    view = t.Unicode("ModelRegistry").tag(sync=True)
    filter = t.Unicode("").tag(sync=True)
    """In MLflow's language, as ``name LIKE 'churn%'``."""
    model = t.Unicode("").tag(sync=True)
    """The name of the selected model; of another one the newest version is selected."""
    version = t.Unicode("").tag(sync=True)
    """The selected version's number."""
    questions = ("filter", "model", "version")

    def __init__(self, workspace: Workspace | None = None, **traits: Any) -> None:
        super().__init__(workspace, **traits)
        self._choose()

    def look(self, client: HubClient) -> None:
        """Show what the hub says now."""
        super().look(client)
        self._choose()

    def _choose(self) -> None:
        versions = [each["version"] for each in self.data["versions"]]
        if versions and self.version not in versions:
            self.version = versions[0]

    def fetch(self, client: HubClient) -> dict[str, Any]:
        query = {"filter": self.filter} if self.filter else {}
        models = client.request("GET", "/models", params=query)
        if not self.model:
            return {"models": models, "versions": [], "facts": None}
        name = {"name": self.model}
        versions = client.request("GET", "/model/versions", params=name)
        facts = None
        if any(each["version"] == self.version for each in versions):
            one = name | {"version": self.version}
            facts = client.request("GET", "/model/version/facts", params=one)
        return {"models": models, "versions": versions, "facts": facts}

    def concerns(self, kind: str, data: Any) -> bool:
        if kind == "tracking":
            return bool(data["everything"] or data["models"])
        return super().concerns(kind, data)

    def html(self) -> str:
        return displays.models(self.data["models"]) + displays.versions(self.data["versions"])
