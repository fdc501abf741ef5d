"""The runner: one process that owns one attempt from its lock to its verdict."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from perijove.faults import step
from perijove.models.attempts import (
    HEARTBEAT,
    HEARTBEAT_FILE,
    LOCK,
    LOG,
    RUNNER,
    SPEC,
    STATUS,
    AttemptSpec,
    AttemptStatus,
)
from perijove.models.jobs import FailureReason, JobKind, JobState
from perijove.models.processes import current_process, end_attempt, link_verdict
from perijove.runner.kernel import PR_SET_CHILD_SUBREAPER, prctl
from perijove.runner.packages import packages_of
from perijove.runner.spool import Spool
from perijove.runner.state import origin
from perijove.runner.verdicts import Canceled, Failure, Stopped, TimedOut, disk_full

RESERVE = 1 << 16
"""Bytes kept back on the attempt's disk, so that a full one still takes a verdict."""


def run_attempt(folder: Path, warm: bool) -> None:
    """Run the attempt in `folder`, unless somebody else does or did.

    `warm` says that this process was forked from a zygote and may fork a kernel itself.
    """
    lock = _take(folder)
    if lock is None:
        return
    spec = AttemptSpec.model_validate_json((folder / SPEC).read_text())
    _settle(folder, spec)
    step("run.locked")
    heart = None
    verdict: dict[str, Any] = {"state": JobState.SUCCEEDED}
    attempt = None

    def interrupt() -> None:
        if attempt is not None:
            attempt.interrupt()

    try:
        _arm(spec, interrupt)
        spool = Spool(folder, spec.job_id, spec.attempt, spec.poke)
        attempt = _attempt(spec, spool)
        attempt.fork(warm)
        heart = _heartbeat(folder)
        attempt.run()
    except Failure as failure:
        verdict = _failed(failure)
    except Stopped as stopped:
        verdict = _stopped(stopped, spec)
    except OSError as error:
        verdict = _failed(disk_full(error))
    except Exception as error:
        traceback.print_exc()
        verdict = _failed(Failure(FailureReason.LOST, f"the runner failed: {error!r}"))
    _disarm()
    (folder / "reserve").unlink(missing_ok=True)
    _leave_nothing(spec)
    status = AttemptStatus(
        ended_at=datetime.now(UTC),
        pid=os.getpid(),
        kernel={} if attempt is None else attempt.kernel,
        packages={} if attempt is None else packages_of(attempt.python),
        **verdict,
    )
    with suppress(OSError):
        # a verdict that stands already is obeyed: the hub took this attempt away
        link_verdict(folder, status)
    step("finish.verdict")
    if heart is not None:
        heart.set()
    if attempt is not None:
        attempt.spool.poke()


def _take(folder: Path) -> int | None:
    """Lock the attempt for as long as this process lives; None: it is taken or over."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return None if (folder / STATUS).exists() else lock


def _settle(folder: Path, spec: AttemptSpec) -> None:
    """Be a detached process of this attempt, and say so in its folder."""
    if os.getsid(0) != os.getpid():
        os.setsid()
    partial = folder / f".{RUNNER}"
    partial.write_text(current_process().model_dump_json())
    partial.rename(folder / RUNNER)
    (folder / HEARTBEAT_FILE).touch()
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    output = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(output)
    os.close(null)
    os.environ.clear()
    os.environ.update(origin.environ | spec.environ)
    os.chdir(spec.workdir)
    with suppress(OSError), (folder / "reserve").open("wb") as file:
        file.write(b"\0" * RESERVE)


def _attempt(spec: AttemptSpec, spool: Spool) -> Any:
    if spec.kind is JobKind.SCRIPT:
        from perijove.runner.script import ScriptAttempt

        return ScriptAttempt(spec, spool)
    from perijove.runner.notebook import NotebookAttempt

    return NotebookAttempt(spec, spool)


def _arm(spec: AttemptSpec, interrupt: Callable[[], None]) -> None:
    def cancel(*_: object) -> None:
        _disarm()
        interrupt()
        raise Canceled

    def time_out(*_: object) -> None:
        _disarm()
        interrupt()
        raise TimedOut

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, cancel)
    signal.signal(signal.SIGALRM, time_out)
    if spec.timeout is not None:
        signal.setitimer(signal.ITIMER_REAL, spec.timeout)


def _disarm() -> None:
    """From here on the attempt finishes, whatever comes."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)


def _heartbeat(folder: Path) -> threading.Event:
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(HEARTBEAT):
            with suppress(OSError):
                os.utime(folder / HEARTBEAT_FILE)

    threading.Thread(target=beat, name="heartbeat", daemon=True).start()
    return stop


def _leave_nothing(spec: AttemptSpec) -> None:
    """End what user code has started and left."""
    if sys.platform != "linux":
        end_attempt(spec.job_id, spec.attempt, current_process())
        return
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    # as subreaper this process inherits every orphan of the attempt
    while listed := children.read_text().split():
        for pid in map(int, listed):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _failed(failure: Failure) -> dict[str, Any]:
    return {"state": JobState.FAILED, "reason": failure.reason, "message": failure.message}


def _stopped(stopped: Stopped, spec: AttemptSpec) -> dict[str, Any]:
    if isinstance(stopped, TimedOut):
        return {
            "state": JobState.FAILED,
            "reason": FailureReason.TIMED_OUT,
            "message": f"the attempt took longer than {spec.timeout:g} s",
        }
    return {"state": JobState.CANCELED, "message": None}


def end_process() -> None:
    """Leave without the interpreter's slow way out; everything is on disk."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)
