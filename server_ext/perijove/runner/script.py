"""An attempt at a script: the environment's Python, the parameters as ``--name value``."""

from __future__ import annotations

import codecs
import json
import os
import selectors
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from perijove.models.attempts import LOG, AttemptSpec
from perijove.models.events import EventType
from perijove.models.jobs import FailureReason
from perijove.runner.kernel import ForkedKernel
from perijove.runner.pieces import Pieces
from perijove.runner.spool import Spool
from perijove.runner.stops import Stopped
from perijove.runner.verdicts import Failure, death, no_space, oom_kills

GRACE = 3.0
"""Seconds a canceled script has after SIGINT."""
READ = 1 << 16
LEFT = 1 << 20
"""Bytes a pipe can hold: all that may be left in it when the script has ended."""
LINE = 500
"""Characters kept of the line that a failure is explained with."""


class ScriptAttempt:
    """Executes one script."""

    def __init__(self, spec: AttemptSpec, spool: Spool) -> None:
        self.spec = spec
        self.spool = spool
        self.kernel: dict[str, Any] = {}
        self.python = sys.executable if spec.environment is None else _python(spec.environment)

    def fork(self, warm: bool, waiting: ForkedKernel | None, zygote: str | None) -> None:
        """Scripts start the ordinary way: ``__main__`` must be theirs from the first line."""
        if waiting is not None:
            waiting.end(0)

    def interrupt(self) -> None:
        """`run` itself ends the script when a signal stops it."""

    def run(self) -> None:
        """Execute the script.

        Raises
        ------
        Failure: its exit code is not 0, or a signal ended it.
        Stopped: the attempt was canceled or its time is over.
        """
        self.spool.emit((EventType.ATTEMPT, {"attempt": self.spec.attempt, "warm": False}))
        before = oom_kills()
        script = Path(self.spec.workdir) / Path(self.spec.source).name
        environ = os.environ | {
            "PERIJOVE_PARAMETERS": json.dumps(self.spec.parameters),
            "PYTHONUNBUFFERED": "1",
        }
        try:
            process = subprocess.Popen(
                [self.python, str(script), *_arguments(self.spec.parameters)],
                cwd=self.spec.workdir,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                process_group=0,
            )
        except OSError as error:
            raise Failure(
                FailureReason.ENVIRONMENT_FAILED, f"{self.python} could not be started: {error}"
            ) from None
        self.kernel = {"name": self.spec.environment or "python", "language": "python"}
        output = _Output(self.spool, self.spec)
        try:
            output.follow(process)
            code = process.wait()
        except Stopped:
            self._end(process)
            raise
        finally:
            output.close()
        if code:
            raise _failure(script.name, code, output.last, before)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        for number in (signal.SIGINT, signal.SIGKILL):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
                return


class _Output:
    """What a script says: into the spool and, as it is, into the attempt's log."""

    def __init__(self, spool: Spool, spec: AttemptSpec) -> None:
        self._spool = spool
        self._room = self._limit = spec.output_limit
        self._pieces = Pieces(self._tell)
        self._log = (Path(spec.folder) / LOG).open("ab", buffering=0)
        self._decoders = {
            name: codecs.getincrementaldecoder("utf-8")("replace") for name in ("stdout", "stderr")
        }
        self._tails = {"stdout": "", "stderr": ""}
        self._unlogged = {"stdout": "", "stderr": ""}
        self._last = {"stdout": "", "stderr": ""}

    @property
    def last(self) -> str:
        """The last line with something on it, of stderr if there is one."""
        said = {name: self._tails[name].strip() or self._last[name] for name in self._tails}
        return (said["stderr"] or said["stdout"])[:LINE]

    def follow(self, process: subprocess.Popen[bytes]) -> None:
        """Report what comes until the script has ended, whoever else still has its pipes."""
        assert process.stdout is not None
        assert process.stderr is not None
        pipes = {"stdout": process.stdout.fileno(), "stderr": process.stderr.fileno()}
        with selectors.DefaultSelector() as selector:
            for name, pipe in pipes.items():
                os.set_blocking(pipe, False)
                selector.register(pipe, selectors.EVENT_READ, name)
            longest = _watch_end(process, selector)
            while process.poll() is None:
                due = self._pieces.due
                for key, _ in selector.select(longest if due is None else due):
                    if key.data is not None and not self._read(key.data, key.fd):
                        selector.unregister(key.fd)
                if self._pieces.due == 0:
                    self._pieces.flush()
        for name, pipe in pipes.items():
            for _ in range(LEFT // READ):
                if not self._read(name, pipe):
                    break

    def close(self) -> None:
        """Tell what waits."""
        for name, decoder in self._decoders.items():
            self._take(name, decoder.decode(b"", final=True))
            self._log.write(self._unlogged[name].encode())
        self._pieces.flush()
        self._log.close()

    def _read(self, name: str, descriptor: int) -> bool:
        """Read what is there; False: no more will come now."""
        try:
            data = os.read(descriptor, READ)
        except BlockingIOError:
            return False
        if data:
            self._take(name, self._decoders[name].decode(data))
        return bool(data)

    def _take(self, name: str, text: str) -> None:
        *lines, self._tails[name] = (self._tails[name] + text).split("\n")
        self._tails[name] = self._tails[name][-READ:]
        self._last[name] = next((x.strip() for x in reversed(lines) if x.strip()), self._last[name])
        if self._room <= 0 or not text:
            return
        if len(text) > self._room:
            limit = self._limit / 2**20
            text = text[: self._room] + f"\n[Perijove] Output over {limit:.0f} MiB is not kept.\n"
            self._room = 0
        self._room -= len(text)
        self._pieces.add(name, text)
        # whole lines: those of the two streams would run into each other
        before, newline, self._unlogged[name] = (self._unlogged[name] + text).rpartition("\n")
        self._log.write((before + newline).encode())

    def _tell(self, stream: str, text: str) -> None:
        self._spool.emit((EventType.LOG, {"stream": stream, "text": text}))


def _watch_end(process: subprocess.Popen[bytes], selector: selectors.BaseSelector) -> float | None:
    """Let the selector wake when the process ends; else the seconds between two looks at it."""
    if sys.platform != "linux":
        return 0.1
    selector.register(os.pidfd_open(process.pid), selectors.EVENT_READ)
    return None


def _failure(script: str, code: int, last: str, oom_before: int) -> Failure:
    if code < 0:
        failure = death("the script", code, oom_before)
        if failure.reason is FailureReason.KERNEL_DIED:
            failure.reason = FailureReason.USER_ERROR
        return failure
    reason = FailureReason.USER_ERROR
    if last.partition(":")[0].endswith("MemoryError"):
        reason = FailureReason.OUT_OF_MEMORY
    elif no_space(last):
        reason = FailureReason.DISK_FULL
    return Failure(reason, f"{script} ended with exit code {code}{f': {last}' if last else ''}")


def _python(environment: str) -> str:
    """The interpreter of a kernelspec.

    Raises
    ------
    Failure: there is no such kernelspec, or it is not Python's.
    """
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec(environment)
    except NoSuchKernel:
        known = ", ".join(sorted(KernelSpecManager().find_kernel_specs()))
        raise Failure(
            FailureReason.ENVIRONMENT_FAILED,
            f"there is no kernel named {environment!r}; there are: {known}",
        ) from None
    if not spec.argv or spec.language.lower() != "python":
        raise Failure(
            FailureReason.ENVIRONMENT_FAILED,
            f"a script needs an environment with Python, and {environment!r} is for "
            f"{spec.language or 'no language'}",
        )
    program = str(spec.argv[0])
    return sys.executable if program in ("python", "python3") else program


def _arguments(parameters: dict[str, Any]) -> list[str]:
    listed: list[str] = []
    for name, value in parameters.items():
        listed += [f"--{name}", value if isinstance(value, str) else json.dumps(value)]
    return listed
