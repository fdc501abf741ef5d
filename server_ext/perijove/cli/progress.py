"""Progress of a job on standard error."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

from perijove.cli.output import duration, is_terminal, say
from perijove.client.jobs import Job
from perijove.models.events import EventType

BAR = 24


def watch(job: Job) -> None:
    """Show what the job does until it is over and recorded."""
    line = _Line()
    done, total = 0, job.data.progress.total
    state, begun = job.data.state.value, None
    for event in job.events():
        if event.type is EventType.STATE:
            state = str(event.data["state"])
        elif event.type is EventType.ATTEMPT:
            begun, done = event.time, 0
        elif event.type is EventType.NOTEBOOK:
            total = int(str(event.data["total"]))
        elif event.type is EventType.CELL_FINISHED:
            done += 1
        elif event.type is not EventType.CELL_STARTED:
            continue
        took = duration(begun, datetime.now(UTC)) if begun else ""
        line.show(state, done, total, f"{job.data.name}  {state}", took)
        if state in ("succeeded", "failed", "canceled"):
            break  # its record is waited for below, and not for ever
    line.end()
    job.wait()


class _Line:
    """One line that is written over on a terminal, new lines elsewhere."""

    def __init__(self) -> None:
        self._live = is_terminal() and os.environ.get("TERM") != "dumb"
        self._last = ""

    def show(self, state: str, done: int, total: int, text: str, took: str) -> None:
        cells = f"  cell {done} of {total}" if total else ""
        if self._live:
            filled = round(BAR * done / total) if total else 0
            bar = f"  {'█' * filled}{'░' * (BAR - filled)}" if total else ""
            sys.stderr.write(f"\r\x1b[2K{text}{bar}{cells}  {took}")
            sys.stderr.flush()
        elif (said := f"{text}{cells}") != self._last:
            self._last = said
            say(said)

    def end(self) -> None:
        if self._live:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
