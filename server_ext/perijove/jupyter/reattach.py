"""Kernels on instances outlive the Jupyter server; the next one adopts them.

A server takes a *slot*: a folder that belongs to the servers of one root folder, one after the
other. In it are a record of each kernel and the database of sessions, so that the next server
knows which notebook has which kernel. The slot is locked for as long as the server lives; a
second server with the same root at the same time takes the next slot.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import logging
import os
import posixpath
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tornado.ioloop import IOLoop

from perijove.client.http import HubClient
from perijove.client.kernels import Kernels
from perijove.errors import PerijoveError
from perijove.models.kernels import Connection, KernelState
from perijove.models.workspaces import WorkspaceFolder

log = logging.getLogger(__name__)

SLOTS = 64
NOTEBOOK = "PERIJOVE_NOTEBOOK"
"""In a kernel's environment: its notebook's path as JupyterLab has it, ``box:folder/a.ipynb``."""
IN_MEMORY = ":memory:"


@dataclass
class KernelRecord:
    """What the next server needs to adopt a kernel."""

    kernel_id: str
    kernel_name: str
    cwd: str
    environ: dict[str, str]


class Slot:
    """What one Jupyter server has, kept for the next."""

    def __init__(self, folder: Path, lock: int) -> None:
        self._kernels = folder / "kernels"
        self._kernels.mkdir(exist_ok=True, mode=0o700)
        self._lock: int | None = lock
        self.sessions = folder / "sessions.db"
        self.found: dict[str, Connection] = {}
        """Connections of the kernels that are being adopted."""

    @classmethod
    def take(cls, workspace: WorkspaceFolder, root: str) -> Slot | None:
        """The first slot of this root that no server has; None: there is none, or no place."""
        name = hashlib.sha256(os.path.realpath(root).encode()).hexdigest()[:12]
        for number in range(SLOTS):
            folder = workspace.root / "jupyter" / f"{name}-{number}"
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                log.warning("Kernels on instances will end with this server: %s", error)
                return None
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return cls(folder, lock)
            except BlockingIOError:
                os.close(lock)
        return None

    def records(self) -> list[KernelRecord]:
        """The kernels of the servers before."""
        found = []
        for path in sorted(self._kernels.glob("*.json")):
            with suppress(OSError, ValueError, TypeError):
                found.append(KernelRecord(**json.loads(path.read_text())))
        return found

    def add(self, record: KernelRecord) -> None:
        """This server has the kernel."""
        partial = self._kernels / f".{record.kernel_id}"
        partial.touch(0o600)
        partial.write_text(json.dumps(asdict(record)))
        partial.rename(self._kernels / f"{record.kernel_id}.json")

    def remove(self, kernel_id: str) -> None:
        """The kernel has ended."""
        (self._kernels / f"{kernel_id}.json").unlink(missing_ok=True)

    def release(self) -> None:
        """This server has ended."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def attach(server_app: Any, workspace: WorkspaceFolder) -> None:
    """Let this server's kernels on instances outlive it, and adopt those of the one before."""
    slot = Slot.take(workspace, str(server_app.root_dir))
    if slot is None:
        return
    manager, sessions = server_app.kernel_manager, server_app.session_manager
    manager.perijove_slot = slot
    tell_which_notebook(sessions)
    _let_go_at_the_end(manager, slot)
    if getattr(sessions, "database_filepath", None) == IN_MEMORY:
        sessions.database_filepath = str(slot.sessions)
    # the server does not serve yet: this may wait for the hub
    records = _alive(slot, workspace)
    if not records:
        return
    adopted = asyncio.Event()
    culled = sessions.kernel_culled

    async def kernel_culled(kernel_id: str) -> bool:
        await adopted.wait()  # or a session is forgotten a moment before its kernel is there
        return bool(await culled(kernel_id))

    sessions.kernel_culled = kernel_culled

    async def adopt() -> None:
        try:
            for record in records:
                await _adopt(manager, record)
        finally:
            adopted.set()

    IOLoop.current().add_callback(adopt)


def tell_which_notebook(sessions: Any) -> None:
    """Jupyter tells a kernel the name of its notebook, but not the drive that it is on.

    JupyterLab names a session's folder and the notebook, and gives the path another last part.
    """
    get_kernel_env = sessions.get_kernel_env

    def with_path(path: str | None, name: str | None = None) -> dict[str, str]:
        environ: dict[str, str] = get_kernel_env(path, name)
        if path is None:
            return environ
        start = max(path.rfind("/"), path.rfind(":")) + 1  # of the last part
        return environ | {NOTEBOOK: path[:start] + posixpath.basename(name or path[start:])}

    sessions.get_kernel_env = with_path


def _alive(slot: Slot, workspace: WorkspaceFolder) -> list[KernelRecord]:
    """The records of kernels that still run; those of others are removed."""
    records = slot.records()
    if not records:
        return []
    kernels, alive = Kernels(HubClient(workspace)), []
    for record in records:
        try:
            info = kernels.get(record.kernel_id)
        except PerijoveError as error:
            log.warning("Kernel %s cannot be adopted: %s", record.kernel_id, error)
            if error.status == 404:
                slot.remove(record.kernel_id)
            continue
        if info.state is KernelState.DEAD:
            slot.remove(record.kernel_id)
            with suppress(PerijoveError):
                kernels.end(record.kernel_id)
            continue
        slot.found[record.kernel_id] = info.connection
        alive.append(record)
    kernels.close()
    return alive


async def _adopt(manager: Any, record: KernelRecord) -> None:
    try:
        await manager.start_kernel(
            kernel_id=record.kernel_id,
            kernel_name=record.kernel_name,
            cwd=record.cwd,
            env=os.environ | record.environ,
        )
        log.info("Adopted kernel %s (%s)", record.kernel_id, record.kernel_name)
    except Exception:
        log.exception("Kernel %s cannot be adopted", record.kernel_id)


def _let_go_at_the_end(manager: Any, slot: Slot) -> None:
    """A server that ends shuts down all its kernels; ours are left to the next one."""
    shutdown_all = manager.shutdown_all

    async def leave(*words: Any, **options: Any) -> None:
        # there is a record exactly of ours
        for record in slot.records():
            if record.kernel_id in manager:
                kernel = manager.get_kernel(record.kernel_id)
                kernel.stop_restarter()
                manager.remove_kernel(record.kernel_id)
                kernel.cleanup_connection_file()
        await shutdown_all(*words, **options)
        slot.release()

    manager.shutdown_all = leave
