"""The runner: one process that owns one attempt from its lock to its verdict."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import traceback
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
    PLACE,
    RESERVE,
    RUNNER,
    SPEC,
    STATUS,
    AttemptPlace,
    AttemptSpec,
    AttemptStatus,
    RunnerProcess,
)
from perijove.models.events import EventType
from perijove.models.jobs import FailureReason, JobKind, JobState
from perijove.models.processes import current_process, end_attempt, is_alive, link_verdict
from perijove.runner.forking import PR_SET_CHILD_SUBREAPER, prctl
from perijove.runner.kernel import ForkedKernel
from perijove.runner.packages import Inventory
from perijove.runner.paths import lend
from perijove.runner.sender import Sender, offer
from perijove.runner.spool import Spool
from perijove.runner.state import origin
from perijove.runner.stops import Stopped, TimedOut, stops
from perijove.runner.verdicts import Failure, disk_full
from perijove.writing import replace_file

RESERVE_BYTES = 1 << 18
"""Bytes kept back on the attempt's disk, so that a full one still takes a verdict."""


def run_attempt(folder: Path, warm: bool, kernel: ForkedKernel | None = None) -> None:
    """Run the attempt in `folder`, unless somebody else does or did.

    `warm` says that this process was forked from a zygote and may fork a kernel itself, or has
    one that waits: `kernel`.
    """
    lock = _take(folder)
    if lock is None:
        if kernel is not None:
            kernel.end(0)
        return
    spec = AttemptSpec.model_validate_json((folder / SPEC).read_text())
    parts = _Parts(kernel)
    verdict: dict[str, Any] = {"state": JobState.SUCCEEDED}
    try:
        try:
            place = _settle(folder, spec)
            stops.arm(spec.timeout, parts.interrupt)
            step("run.locked")
            parts.run(folder, spec, warm, place.zygote)
        finally:
            stops.disarm()
    except Failure as failure:
        verdict = _failed(failure)
    except OSError as error:
        _explain()
        verdict = _failed(disk_full(error))
    except MemoryError:
        verdict = _failed(Failure(FailureReason.OUT_OF_MEMORY, "the runner had no memory left"))
    except BaseException as error:
        if stops.came is None:
            _explain()
            verdict = _failed(Failure(FailureReason.LOST, f"the runner failed: {error!r}"))
    if stops.came is not None:
        verdict = _stopped(stops.came, spec)
    with suppress(OSError):
        (folder / RESERVE).unlink(missing_ok=True)
    info, packages = parts.environment()
    _leave_nothing(spec)
    parts.send_rest(stopped=stops.came is not None)
    status = AttemptStatus(
        ended_at=datetime.now(UTC),
        pid=os.getpid(),
        kernel=info,
        packages=packages,
        logged=parts.has_logged,
        **verdict,
    )
    with suppress(OSError):
        # a verdict that stands already is obeyed: the hub took this attempt away
        link_verdict(folder, status)
    step("finish.verdict")
    parts.close()


def _explain() -> None:
    with suppress(OSError):  # the log is on the disk that may be full
        traceback.print_exc()


class _Parts:
    """What an attempt is made of, as far as it came."""

    def __init__(self, kernel: ForkedKernel | None) -> None:
        self._kernel = kernel
        self._spool: Spool | None = None
        self._attempt: Any = None
        self._inventory: Inventory | None = None
        self._heart = threading.Event()
        self._sender: Sender | None = None

    def run(self, folder: Path, spec: AttemptSpec, warm: bool, zygote: str | None) -> None:
        self._spool = Spool(folder, spec.job_id, spec.attempt, spec.poke)
        self._attempt = _attempt(spec, self._spool)
        if self._attempt.python not in ("", sys.executable):
            lend(os.environ)
        self._attempt.fork(warm, self._kernel, zygote)  # before there is a thread
        if self._attempt.python:
            self._inventory = Inventory(self._attempt.python)
        _heartbeat(folder, spec.carrier, self._heart)
        self._sender = Sender(folder, os.environ, self._say)
        self._sender.start()
        self._attempt.run()

    def interrupt(self) -> None:
        if self._attempt is not None:
            self._attempt.interrupt()

    def send_rest(self, stopped: bool) -> None:
        """What user code has logged goes to MLflow before the verdict, if MLflow is there."""
        if self._sender is not None:
            self._sender.finish(stopped)

    @property
    def has_logged(self) -> bool:
        """User code has begun, and may have logged."""
        return self._sender is not None and self._sender.is_used

    def _say(self, text: str) -> None:
        if self._spool is not None:
            self._spool.emit((EventType.LOG, {"stream": "runner", "text": f"{text}\n"}))

    def environment(self) -> tuple[dict[str, Any], dict[str, str]]:
        """The kernel's own words, and its packages."""
        kernel = {} if self._attempt is None else self._attempt.kernel
        return kernel, {} if self._inventory is None else self._inventory.collect()

    def close(self) -> None:
        self._heart.set()
        if self._spool is not None:
            self._spool.poke()


def _take(folder: Path) -> int | None:
    """Lock the attempt for as long as this process lives; None: it is taken or over, or another
    runner had it and was killed: it may have begun, and nothing runs twice."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return None if (folder / STATUS).exists() or (folder / RUNNER).exists() else lock


def _settle(folder: Path, spec: AttemptSpec) -> AttemptPlace:
    """Be a detached process of this attempt, and say so in its folder; where it runs."""
    if os.getsid(0) != os.getpid():
        os.setsid()
    with (folder / RESERVE).open("wb") as file:
        file.write(b"\0" * RESERVE_BYTES)
    replace_file(folder / RUNNER, current_process().model_dump_json())
    (folder / HEARTBEAT_FILE).touch()
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    output = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(output)
    os.close(null)
    place = AttemptPlace(node="")
    with suppress(FileNotFoundError):
        place = AttemptPlace.model_validate_json((folder / PLACE).read_text())
    os.environ.clear()
    os.environ.update(origin.environ | spec.environ | place.environ)
    offer(folder, os.environ)
    os.chdir(spec.workdir)
    return place


def _attempt(spec: AttemptSpec, spool: Spool) -> Any:
    if spec.kind is JobKind.SCRIPT:
        from perijove.runner.script import ScriptAttempt

        return ScriptAttempt(spec, spool)
    from perijove.runner.notebook import NotebookAttempt

    return NotebookAttempt(spec, spool)


def _heartbeat(folder: Path, carrier: RunnerProcess | None, stop: threading.Event) -> None:
    def beat() -> None:
        while not stop.wait(HEARTBEAT):
            orphaned = carrier is not None and not is_alive(carrier)
            if orphaned or (folder / STATUS).exists():
                # the verdict was given by somebody else, or nobody would hear of ours
                os.kill(os.getpid(), signal.SIGTERM)
            with suppress(OSError):
                os.utime(folder / HEARTBEAT_FILE)

    threading.Thread(target=beat, name="heartbeat", daemon=True).start()


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
