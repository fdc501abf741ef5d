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

from pydantic import BaseModel

from perijove.models.attempts import RunnerProcess

DEFINITION, PROCESS, SOCKET, LOG, NODES, TLS = (
    "definition.json",
    "process.json",
    "control.sock",
    "cluster.log",
    "nodes",
    "tls",
)


class ProcessFile(BaseModel):
    """``process.json``: who runs the cluster."""

    process: RunnerProcess
    scheduler: str = ""
    dashboard: str = ""
