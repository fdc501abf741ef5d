"""An attempt at a script: the environment's Python, the parameters as ``--name value``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from perijove.models.attempts import AttemptSpec
from perijove.models.events import EventType
from perijove.models.jobs import FailureReason
from perijove.runner.spool import Spool
from perijove.runner.verdicts import Failure, Stopped, death, oom_kills

GRACE = 3.0
"""Seconds a canceled script has after SIGINT."""


class ScriptAttempt:
    """Executes one script."""

    def __init__(self, spec: AttemptSpec, spool: Spool) -> None:
        self.spec = spec
        self.spool = spool
        self.kernel: dict[str, Any] = {}
        self.python = sys.executable
        if spec.environment is not None:
            from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

            try:
                argv = KernelSpecManager().get_kernel_spec(spec.environment).argv
            except NoSuchKernel:
                raise Failure(
                    FailureReason.ENVIRONMENT_FAILED,
                    f"there is no kernel named {spec.environment!r}",
                ) from None
            if argv and argv[0] not in ("python", "python3"):
                self.python = argv[0]

    def fork(self, warm: bool) -> None:
        """Scripts start the ordinary way: ``__main__`` must be theirs from the first line."""

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
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        except OSError as error:
            raise Failure(
                FailureReason.ENVIRONMENT_FAILED, f"{self.python} could not be started: {error}"
            ) from None
        self.kernel = {"name": self.spec.environment or "python", "language": "python"}
        try:
            last = self._follow(process)
            code = process.wait()
        except Stopped:
            self._end(process)
            raise
        if code == 0:
            return
        if code < 0:
            failure = death("the script", code, before)
            if failure.reason is FailureReason.KERNEL_DIED:
                failure.reason = FailureReason.USER_ERROR
            raise failure
        said = f": {last}" if last else ""
        reason = FailureReason.USER_ERROR
        if last.startswith("MemoryError"):
            reason = FailureReason.OUT_OF_MEMORY
        elif "[Errno 28]" in last:
            reason = FailureReason.DISK_FULL
        raise Failure(reason, f"{script.name} ended with exit code {code}{said}")

    def _follow(self, process: subprocess.Popen[bytes]) -> str:
        """Report its output as it comes; returns the last line that says something."""
        assert process.stdout is not None
        last, kept = "", 0
        while piece := os.read(process.stdout.fileno(), 1 << 16):
            text = piece.decode("utf-8", "replace")
            last = next((line for line in reversed(text.splitlines()) if line.strip()), last)
            room = self.spec.output_limit - kept
            if room <= 0:
                continue
            kept += len(text)
            if len(text) > room:
                limit = self.spec.output_limit / 2**20
                text = text[:room] + f"\n[Perijove] Output over {limit:.0f} MiB is not kept.\n"
            self.spool.emit((EventType.LOG, {"stream": "stdout", "text": text}))
        return last.strip()[:500]

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        for number in (2, 9):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
                return


def _arguments(parameters: dict[str, Any]) -> list[str]:
    listed: list[str] = []
    for name, value in parameters.items():
        listed += [f"--{name}", value if isinstance(value, str) else json.dumps(value)]
    return listed
