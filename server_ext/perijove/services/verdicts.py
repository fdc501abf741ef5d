"""Verdicts on attempts: the runner's own, and the hub's where there is none."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from perijove.errors import PerijoveError
from perijove.models.attempts import AttemptStatus
from perijove.models.jobs import FailureReason, JobState


def read_status(path: Path) -> AttemptStatus:
    """The runner's verdict; one that left none is lost."""
    try:
        return AttemptStatus.model_validate_json(path.read_text())
    except (OSError, ValueError) as error:
        return AttemptStatus(
            state=JobState.FAILED,
            reason=FailureReason.LOST,
            message=f"The runner left no readable verdict ({error}).",
            ended_at=datetime.now(UTC),
            pid=os.getpid(),
        )


def failed_launch(error: PerijoveError | OSError) -> AttemptStatus:
    """The verdict on an attempt that no runner was started for."""
    return AttemptStatus(
        state=JobState.FAILED,
        reason=FailureReason.unplaced(error),
        message=f"The attempt could not be launched: {error}",
        ended_at=datetime.now(UTC),
        pid=os.getpid(),
    )
