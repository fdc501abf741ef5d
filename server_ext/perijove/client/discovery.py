"""Finds the hub of a workspace, and starts it when nobody has.

A running hub leaves ``hub.json`` (0600). The file is believed only when the process it names is
alive: same pid, same start time, same boot. Starters take a lock, so that two make one hub.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perijove.errors import HubUnreachable, InvalidInput
from perijove.models.attempts import RunnerProcess
from perijove.models.disks import is_full
from perijove.models.names import check_workspace
from perijove.models.processes import is_alive
from perijove.models.workspaces import HubInfo, WorkspaceFolder

START_LIMIT = 60.0
"""Seconds a hub has to come up."""
LOOK = 0.01
GUESTS = ("PERIJOVE_JOB_ID", "PERIJOVE_AGENT", "PERIJOVE_NODE")
"""What jobs, and all that runs on instances and nodes, have in their environment. A hub that they
started would end with them, or be another machine's."""


def workspace_folder(name: str | None = None) -> WorkspaceFolder:
    """The folder of a workspace: `name`, else PERIJOVE_WORKSPACE, else ``default``.

    Raises
    ------
    InvalidInput: the name is no workspace name, or there is no home folder.
    """
    chosen = name or os.environ.get("PERIJOVE_WORKSPACE") or "default"
    try:
        check_workspace(chosen)
    except ValueError as error:
        raise InvalidInput(f"{chosen!r}: {error}.", field="workspace") from None
    home = os.environ.get("PERIJOVE_HOME")
    try:
        root = Path(home).absolute() if home else Path.home() / ".perijove"
    except RuntimeError:  # a container's user of any number
        raise InvalidInput(
            "Neither PERIJOVE_HOME nor HOME is set, and the user has no home folder.",
            field="PERIJOVE_HOME",
            remedy="Set PERIJOVE_HOME to a folder of yours.",
        ) from None
    return WorkspaceFolder(root, chosen)


def find_hub(folder: WorkspaceFolder) -> HubInfo | None:
    """The running hub; None when there is none, or only the file of one that is gone."""
    try:
        info = HubInfo.model_validate_json(folder.hub_json.read_text())
    except (OSError, ValueError):
        return None
    process = RunnerProcess(pid=info.pid, start_time=info.start_time, boot_id=info.boot_id)
    return info if is_alive(process) else None


def ensure_hub(folder: WorkspaceFolder) -> tuple[HubInfo, bool]:
    """The running hub, started if need be; (hub, whether it was started).

    Raises
    ------
    HubUnreachable: it does not come up, or a job or a kernel on an instance asks, which start none.
    """
    if (info := find_hub(folder)) is not None:
        return info, False
    if not os.environ.keys().isdisjoint(GUESTS):
        raise HubUnreachable(
            f"The hub of workspace {folder.name} is not reached from here: this runs on another "
            "machine, or the hub is not up.",
            remedy="What asks the hub runs on the hub's own machine. MLflow is reached from every "
            "job and kernel.",
        )
    with _starting(folder):
        if (info := find_hub(folder)) is not None:
            return info, False
        process = _start(folder)
        deadline = time.monotonic() + START_LIMIT
        while (info := find_hub(folder)) is None:
            if time.monotonic() > deadline or process.poll() not in (None, 0):
                raise HubUnreachable(
                    f"The hub of workspace {folder.name} does not start: {_last_words(folder)}",
                    remedy=f"Its log is {folder.hub_log}.",
                )
            time.sleep(LOOK)
    return info, True


@contextmanager
def _starting(folder: WorkspaceFolder) -> Iterator[None]:
    try:
        folder.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder.root / "start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidInput(
            f"{folder.root} cannot be made or written: {error.strerror}.",
            field="PERIJOVE_HOME",
            remedy="Set PERIJOVE_HOME to a folder of yours.",
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _start(folder: WorkspaceFolder) -> subprocess.Popen[bytes]:
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environ["PERIJOVE_HOME"] = str(folder.home)
    with folder.hub_log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "perijove.hub", "--workspace", folder.name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder.root,
            env=environ,
            start_new_session=True,
        )


def _last_words(folder: WorkspaceFolder) -> str:
    try:
        lines = folder.hub_log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    if is_full(folder.root):
        return f"no space is left for {folder.root}."
    return lines[-1][-500:] if lines else "it said nothing."
