"""Processes by name, start time and boot, so that a recycled pid is never mistaken; their ends;
and the verdict on an attempt, given once.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from perijove.models.attempts import STATUS, AttemptStatus, RunnerProcess

SOCKET_PATH = 107
"""Bytes a Unix socket's path may have on Linux."""


def boot_id() -> str:
    """Changes with every boot of this machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(int(psutil.boot_time()))


def start_time(pid: int) -> float | None:
    """When the process started; None when there is none, or only its zombie.

    Clock ticks since boot on Linux (field 22 of /proc/PID/stat), else seconds since 1970.
    """
    if sys.platform != "linux":
        try:
            process = psutil.Process(pid)
            alive = process.status() != psutil.STATUS_ZOMBIE
            return process.create_time() if alive else None
        except psutil.Error:
            return None
    try:
        # the command, in parentheses, may hold blanks and parentheses itself
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else float(fields[19])


def current_process() -> RunnerProcess:
    """This process, as others may look for it."""
    return process_of(os.getpid())


def process_of(pid: int) -> RunnerProcess:
    """The process that has this number now; of one that has ended, what is not alive."""
    return RunnerProcess(pid=pid, start_time=start_time(pid) or 0, boot_id=boot_id())


def is_alive(process: RunnerProcess) -> bool:
    """Is exactly this process running (or stopped) now?"""
    return process.boot_id == boot_id() and start_time(process.pid) == process.start_time


def runtime_dir() -> Path:
    """A private folder for sockets, with a path short enough for them."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if not base or len(base) > SOCKET_PATH - 50 or not os.access(base, os.W_OK):
        base = "/tmp" if os.access("/tmp", os.W_OK) else tempfile.gettempdir()
    folder = Path(base) / f"perijove-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} must belong to you, and to nobody else")
    return folder


def link_verdict(folder: Path, status: AttemptStatus) -> bool:
    """Give the attempt its verdict; False: it has one already, and that one stands.

    A link either makes the name or fails, so of a runner and a hub that took its lease away
    only the first is heard.
    """
    partial = folder / f".status.{os.getpid()}.{time.monotonic_ns()}"
    try:
        with partial.open("w") as file:
            file.write(status.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        os.link(partial, folder / STATUS)
    except FileExistsError:
        return False
    finally:
        partial.unlink(missing_ok=True)
    return True


def end_attempt(
    job_id: str, attempt: int, *leaders: RunnerProcess | None, grace: float = 0.0
) -> None:
    """End every process of an attempt and return when they are gone.

    They are the sessions of the `leaders` (the runner, and the keeper of its kernel), all
    descendants, and whatever else carries the attempt's PERIJOVE_JOB_ID and PERIJOVE_ATTEMPT in
    its environment. `grace` is the time in seconds they have between SIGTERM and SIGKILL. This
    process itself is spared.
    """
    number = signal.SIGTERM if grace else signal.SIGKILL
    deadline = time.monotonic() + grace
    last = time.monotonic() + grace + 30
    while found := _members(job_id, attempt, leaders):
        if number == signal.SIGTERM and time.monotonic() >= deadline:
            number = signal.SIGKILL
        for process in found:
            with suppress(psutil.Error):
                process.send_signal(number)
        if time.monotonic() > last:  # not even SIGKILL ends what hangs in the kernel
            return
        psutil.wait_procs(found, timeout=0.2)


def end_session(leader: RunnerProcess) -> None:
    """Kill every process of the session that `leader` began, and return when they are gone."""
    if leader.boot_id != boot_id():
        return
    _kill_all(
        lambda pid: _belongs(pid, leader.pid, leader.start_time, start_time(pid) or 0),
    )


def end_marked(mark: str) -> None:
    """Kill every process that has `mark`, ``NAME=value``, in its environment, and return when
    they are gone. This process itself is spared."""
    _kill_all(lambda pid: start_time(pid) is not None and _has(pid, mark.encode()))


def _kill_all(wanted: Callable[[int], bool]) -> None:
    last = time.monotonic() + 30
    while found := [pid for pid in psutil.pids() if pid != os.getpid() and wanted(pid)]:
        processes = []
        for pid in found:
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                process.kill()
                processes.append(process)
        if time.monotonic() > last:  # not even SIGKILL ends what hangs in the kernel
            return
        psutil.wait_procs(processes, timeout=0.2)


def _has(pid: int, entry: bytes) -> bool:
    try:
        return entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _members(
    job_id: str, attempt: int, leaders: Sequence[RunnerProcess | None]
) -> list[psutil.Process]:
    sessions = [x for x in leaders if x is not None and x.boot_id == boot_id()]
    found = {}
    for pid in psutil.pids():
        if pid == os.getpid() or (started := start_time(pid)) is None:
            continue
        member = any(_belongs(pid, x.pid, x.start_time, started) for x in sessions)
        if member or _is_marked(pid, job_id, attempt):
            with suppress(psutil.Error):
                process = found[pid] = psutil.Process(pid)
                for child in process.children(recursive=True):
                    if child.pid != os.getpid() and start_time(child.pid) is not None:
                        found[child.pid] = child
    return list(found.values())


def _belongs(pid: int, session: int, begun: float, started: float) -> bool:
    if started < begun:
        return False
    try:
        return os.getsid(pid) == session
    except (ProcessLookupError, PermissionError):
        return False


def _is_marked(pid: int, job_id: str, attempt: int) -> bool:
    return _has(pid, f"PERIJOVE_JOB_ID={job_id}".encode()) and _has(
        pid, f"PERIJOVE_ATTEMPT={attempt}".encode()
    )
