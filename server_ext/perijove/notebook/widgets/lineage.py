"""Where a model's version came from, as a picture."""

from __future__ import annotations

from typing import Any

import traitlets as t

from perijove.client import displays
from perijove.client.http import HubClient
from perijove.client.workspace import Workspace
from perijove.notebook.widgets.base import PerijoveWidget


class LineageView(PerijoveWidget):
    """Data, run and version, and the arrows between them.

    Parameters
    ----------
    model, version: of the registry; link them to those of a `ModelRegistry`.
    """

    view = t.Unicode("LineageView").tag(sync=True)
    model = t.Unicode("").tag(sync=True)
    version = t.Unicode("").tag(sync=True)
    questions = ("model", "version")

    def __init__(
        self, model: str = "", version: str = "", workspace: Workspace | None = None, **traits: Any
    ) -> None:
        super().__init__(workspace, model=model, version=version, **traits)

    def fetch(self, client: HubClient) -> dict[str, Any]:
        if not (self.model and self.version):
            return {"nodes": [], "edges": []}
        query = {"name": self.model, "version": self.version}
        found: dict[str, Any] = client.request("GET", "/model/version/lineage", params=query)
        return found

    def concerns(self, kind: str, data: Any) -> bool:
        if kind == "tracking":
            return bool(data["everything"] or self.model in data["models"])
        return super().concerns(kind, data)

    def html(self) -> str:
        rows = [
            [displays.text(each["kind"]), displays.text(each["label"])]
            for each in self.data["nodes"]
        ]
        return displays.table(["", "comes from"], rows, len(rows))
