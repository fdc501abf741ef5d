"""What a hub and a cluster's process say to each other, and find of each other in the folder.

They speak one JSON object a line over a Unix socket.

::

    hub → cluster   {"launch": "JOB/1", "folder": "…", "resources": {…}, "timeout": 60.0,
                     "token": "…"}
                                               known ones are ignored
                    {"gate": {…}, "network_gate": null | {…}}   where nodes find the hub
                    {"withdraw": "JOB/1"}      nothing is started for it any more
                    {"end": "JOB/1", "force": false}   ask, or make, its runner on the node end
                    {"define": {…}}            new limits
                    {"stop": true}             end the nodes and the process
    cluster → hub   {"refused": {…}}           an error: it cannot be used as it is
                    {"state": {…}}             ClusterState, when it changes
                    {"ended": "JOB/1", "lost": null | "why", "gone": true}
                                               nothing will be started for it any more; *gone*:
                                               its node says that nothing of it is left
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel

from perijove.models.attempts import RunnerProcess
from perijove.models.processes import end_session

LEFT = ".ssh"
"""How the records of nodes end that are on other hosts."""
HOST_LOG = "node.log"
PLACED = "placed"
"""A file in the attempt's folder: it was given to a node."""
CARRIED = "carried"
"""A file in the attempt's folder: its node does not share this machine's disk."""
DEFINITION, PROCESS, SOCKET, LOG, NODES, TLS, SLURM = (
    "definition.json",
    "process.json",
    "control.sock",
    "cluster.log",
    "nodes",
    "tls",
    "slurm.json",
)


class ProcessFile(BaseModel):
    """``process.json``: who runs the cluster."""

    process: RunnerProcess


def mark(folder: str) -> str:
    """What everything has in its environment that the process of the cluster in `folder` has
    started, or on another host the node in `folder`."""
    return f"PERIJOVE_NODE={folder}"


def end_node(record: Path) -> None:
    """End the local node that ``nodes/ID.json`` names, and what is left of it."""
    with suppress(OSError, ValueError):
        end_session(RunnerProcess.model_validate_json(record.read_text()))
    record.unlink(missing_ok=True)
