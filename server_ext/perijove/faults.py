"""Labelled steps, so that a test can kill a process exactly there.

``PERIJOVE_KILL_AT=label`` makes the first process that reaches ``step(label)`` send itself
SIGKILL, once for each file named by ``PERIJOVE_KILL_ONCE`` (created exclusively). Unset, a step
costs one dictionary look-up.
"""

from __future__ import annotations

import os
import signal

STEPS = (
    "submit.snapshot",  # the snapshot is copied, nothing is stored
    "submit.stored",  # the job is stored, nobody was told
    "launch.attempt",  # the attempt is stored, its folder is not made
    "launch.spec",  # the folder is made, no runner was asked for
    "launch.forked",  # a runner was asked for, the hub has not noted it
    "run.locked",  # the runner owns the attempt, no kernel yet
    "run.kernel",  # the kernel is up, no cell ran
    "run.cell",  # a cell has finished
    "finish.output",  # the output notebook is written, no verdict
    "finish.verdict",  # the verdict is linked, the hub was not told
    "finish.ingested",  # the hub read the verdict, the database has it not
    "finish.stored",  # the database has it, MLflow has not
    "finish.recorded",  # MLflow has it, the outbox does not know
    "cancel.requested",  # the wish is stored, nobody was signalled
    "cancel.signalled",  # the runner was signalled, the hub has no verdict
)


def step(label: str) -> None:
    """A labelled step was reached; see the module's docstring."""
    if os.environ.get("PERIJOVE_KILL_AT") != label:
        return
    once = os.environ.get("PERIJOVE_KILL_ONCE")
    if once:
        try:
            os.close(os.open(once, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return
    os.kill(os.getpid(), signal.SIGKILL)
