"""From the way an attempt went to its verdict."""

from __future__ import annotations

import errno
import signal
from pathlib import Path

from perijove.models.jobs import FailureReason, JobState

FULL = (errno.ENOSPC, errno.EDQUOT)


class Failure(Exception):
    """The attempt failed.

    Parameters
    ----------
    reason: why, in the job's words.
    message: one line that names the place.
    """

    state = JobState.FAILED

    def __init__(self, reason: FailureReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def cell_failure(number: int, ename: str, evalue: str) -> Failure:
    """The failure of the 1-based `number`-th code cell that raised `ename`."""
    reason = FailureReason.USER_ERROR
    if ename.endswith("MemoryError"):  # numpy's, CUDA's
        reason = FailureReason.OUT_OF_MEMORY
    elif no_space(evalue):
        reason = FailureReason.DISK_FULL
    elif ename == "StdinNotImplementedError":
        evalue = "input() waits for a keyboard, and a job has none; use a parameter instead"
    elif ename == "ModuleNotFoundError":
        evalue = f"{evalue.strip()}; it is neither in the job's environment nor beside its notebook"
    first = evalue.strip().splitlines()[0][:500] if evalue.strip() else ""
    return Failure(reason, f"cell {number}: {ename}{': ' + first if first else ''}")


def death(what: str, status: int | None, oom_before: int) -> Failure:
    """The failure of a process that ended with the wait status's exit code `status`."""
    if status == -signal.SIGKILL and oom_kills() > oom_before:
        return Failure(FailureReason.OUT_OF_MEMORY, f"{what} was killed: out of memory")
    if status is None:
        how = "died"
    elif status < 0:
        how = f"was killed by {_signal_name(-status)}"
    else:
        how = f"ended with exit code {status}"
    return Failure(FailureReason.KERNEL_DIED, f"{what} {how}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def no_space(text: str) -> bool:
    """Does an error's text say that a disk is full?"""
    return any(f"[Errno {number}]" in text for number in FULL)


def disk_full(error: OSError) -> Failure:
    """The failure of a write by the runner itself."""
    if error.errno in FULL:
        return Failure(FailureReason.DISK_FULL, "no space left on the disk of the attempt's folder")
    return Failure(FailureReason.LOST, f"the runner could not write: {error}")


def oom_kills() -> int:
    """How often the kernel has killed for memory since boot; 0 where that is not known."""
    try:
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except OSError:
        pass
    return 0
