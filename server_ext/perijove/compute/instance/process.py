"""An agent's process, from within and from outside: its mark, its record, its machine."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import psutil

from perijove.models.agents import PROCESS, MachineFacts
from perijove.models.attempts import RunnerProcess
from perijove.models.processes import is_alive


def facts() -> MachineFacts:
    """This machine."""
    addresses = {
        found.address
        for listed in psutil.net_if_addrs().values()
        for found in listed
        if found.family == socket.AF_INET and not found.address.startswith("127.")
    }
    return MachineFacts(
        hostname=socket.gethostname(),
        system=f"{os.uname().sysname} {os.uname().machine}",
        python=sys.version.split()[0],
        cpus=os.cpu_count() or 1,
        memory=psutil.virtual_memory().total,
        addresses=sorted(addresses),
    )


def mark(folder: Path) -> str:
    """What every process of the agent in `folder` has in its environment."""
    return f"PERIJOVE_AGENT={folder}"


def running(folder: Path) -> RunnerProcess | None:
    """The agent that lives in `folder`, if one does."""
    try:
        found = RunnerProcess.model_validate_json((folder / PROCESS).read_text())
    except (OSError, ValueError):
        return None
    return found if is_alive(found) else None
