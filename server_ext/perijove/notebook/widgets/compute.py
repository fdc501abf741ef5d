"""Compute targets as a widget."""

from __future__ import annotations

from typing import Any

import traitlets as t

from perijove.client import displays
from perijove.client.http import HubClient
from perijove.notebook.widgets.base import PerijoveWidget


class ComputeView(PerijoveWidget):
    """The compute targets: what is on, how busy, how many wait."""

    view = t.Unicode("ComputeView").tag(sync=True)
    selected = t.Unicode("").tag(sync=True)
    """The name of the selected target."""

    def fetch(self, client: HubClient) -> dict[str, Any]:
        return {"targets": client.request("GET", "/compute")}

    def concerns(self, kind: str, data: Any) -> bool:
        return kind in ("compute", "everything")

    def act(self, verb: str, content: dict[str, Any]) -> None:
        if verb in ("start", "stop"):
            getattr(self._workspace.compute.get(str(content["name"])), verb)()

    def html(self) -> str:
        return displays.targets(self.data["targets"])
