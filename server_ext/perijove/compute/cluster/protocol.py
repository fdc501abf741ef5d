"""What a hub and a cluster's process say to each other: one JSON object a line.

::

    hub → cluster   {"launch": "JOB/1", "folder": "…", "resources": {…}}   known ones are ignored
                    {"withdraw": "JOB/1"}      nothing is started for it any more
                    {"define": {…}}            new limits
                    {"stop": true}             end the nodes and the process
    cluster → hub   {"state": {…}}             ClusterState, when it changes
                    {"ended": "JOB/1", "lost": null | "why"}   nothing will run for it any more
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field

from perijove.models.attempts import RunnerProcess
from perijove.models.compute import Node

DEFINITION, PROCESS, SOCKET, LOG, NODES, TLS = (
    "definition.json",
    "process.json",
    "control.sock",
    "cluster.log",
    "nodes",
    "tls",
)
PLACE = "place.json"
"""Written by the node into the attempt's folder: what the runner's environment gets there."""


class ClusterState(BaseModel):
    """What a cluster's process knows of itself."""

    nodes: list[Node] = Field(default_factory=list)
    target_nodes: int = 0
    waiting: int = Field(default=0, description="attempts that no node has taken yet")
    node_seconds: float = Field(default=0, description="since the process started, summed")
    scheduler: str = Field(default="", description="tls://…")
    dashboard: str = Field(default="", description="http://…, loopback only")
    message: str | None = None


class ProcessFile(BaseModel):
    """``process.json``: who runs the cluster."""

    process: RunnerProcess
    scheduler: str = ""
    dashboard: str = ""


def cluster_folder(root: Path, name: str) -> Path:
    """Where a workspace keeps a cluster."""
    return root / "compute" / name
