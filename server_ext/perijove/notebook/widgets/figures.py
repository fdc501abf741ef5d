"""The workspace in a few figures."""

from __future__ import annotations

from typing import Any

import traitlets as t

from perijove.client import displays
from perijove.client.http import HubClient
from perijove.notebook.widgets.base import PerijoveWidget

ACTIVE = ("preparing", "running", "finalizing")


class Figures(PerijoveWidget):
    """How many jobs run, wait, failed; the nodes that are up and the hours they have been."""

    view = t.Unicode("Figures").tag(sync=True)

    def fetch(self, client: HubClient) -> dict[str, Any]:
        jobs = client.request("GET", "/status")["jobs"]
        targets = client.request("GET", "/compute")
        managed = [target for target in targets if target["kind"] != "local"]
        running = sum(jobs.get(state, 0) for state in ACTIVE)
        nodes = sum(target["current_nodes"] for target in managed)
        hours = sum(target["node_hours"] for target in managed)
        figures = [
            {"label": "Running", "value": str(running), "tone": "running"},
            {"label": "Queued", "value": str(jobs.get("queued", 0)), "tone": "waiting"},
            {"label": "Failed", "value": str(jobs.get("failed", 0)), "tone": "error"},
            {"label": "Succeeded", "value": str(jobs.get("succeeded", 0)), "tone": "ok"},
            {"label": "Nodes up", "value": str(nodes), "tone": ""},
            {"label": "Node-hours", "value": f"{hours:.1f}", "tone": ""},
        ]
        return {"figures": figures}

    def concerns(self, kind: str, data: Any) -> bool:
        return kind in ("jobs", "compute", "everything")

    def html(self) -> str:
        return displays.figures(self.data["figures"])
