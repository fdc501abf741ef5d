"""A job's event log: ``events.jsonl`` in the job's folder, one `JobEvent` a line.

The hub is the only writer. Every line that came from a runner carries the number it had in the
runner's spool, so after a kill -9 the end of the file itself says what is already in it: no
number is given twice, none is left out, and nothing else has to be kept in step.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from perijove.models.events import EventType, SpoolEvent
from perijove.models.jobs import Job
from perijove.models.workspaces import WorkspaceFolder

PROGRESS = (EventType.ATTEMPT, EventType.NOTEBOOK, EventType.CELL_FINISHED)
"""Events that move a job on."""


@dataclass
class _Tail:
    seq: int = 0
    spooled: dict[int, int] = field(default_factory=dict)
    state: str | None = None


class EventLogs:
    """The event logs of a workspace."""

    def __init__(self, folder: WorkspaceFolder) -> None:
        self._folder = folder
        self._tails: dict[str, _Tail] = {}

    def append(self, job_id: str, attempt: int, events: Sequence[SpoolEvent]) -> list[SpoolEvent]:
        """Add a runner's events; those already there are dropped. Returns the new ones."""
        tail = self._tail(job_id)
        known = tail.spooled.get(attempt, 0)
        fresh = [event for event in events if event.seq > known]
        if fresh:
            self._write(job_id, tail, attempt, ((e, e.seq) for e in fresh))
        return fresh

    def note(self, job_id: str, attempt: int, type: EventType, data: dict[str, Any]) -> None:
        """Add an event of the hub's own."""
        self.note_all(job_id, attempt, type, [data])

    def note_all(
        self, job_id: str, attempt: int, type: EventType, listed: Iterable[dict[str, Any]]
    ) -> None:
        """Add events of the hub's own, of one kind, with one call."""
        now = datetime.now(UTC)
        events = [SpoolEvent(seq=0, time=now, type=type, data=data) for data in listed]
        if events:
            tail = self._tail(job_id)
            self._write(job_id, tail, attempt, ((event, None) for event in events))

    def note_state(self, job: Job) -> None:
        """Add the job's state, unless the log's last state says the same already.

        A hub may die between storing a state and noting it: the next one notes it.
        """
        reason = job.reason.value if job.reason else None
        data = {"state": job.state.value, "reason": reason, "message": job.message}
        if self._tail(job.id).state != json.dumps(data, sort_keys=True):
            self.note(job.id, job.attempt, EventType.STATE, data)

    def spooled(self, job_id: str, attempt: int) -> int:
        """The last number of the runner's spool that is in the log."""
        return self._tail(job_id).spooled.get(attempt, 0)

    def read(self, job_id: str, offset: int, limit: int = 1 << 20) -> tuple[list[str], int]:
        """Whole lines from a byte offset on, about `limit` bytes, and the offset behind them."""
        try:
            with self._folder.events(job_id).open("rb") as file:
                file.seek(offset)
                data = file.read(limit)
                if data and not data.endswith(b"\n"):
                    rest = file.readline()
                    data = data + rest if rest.endswith(b"\n") else data[: data.rfind(b"\n") + 1]
        except FileNotFoundError:
            return [], offset
        return data.decode("ascii").splitlines(), offset + len(data)

    def of_attempt(self, job_id: str, attempt: int) -> list[SpoolEvent]:
        """What an attempt's runner has reported so far, without outputs and log lines."""
        found: list[SpoolEvent] = []
        offset = 0
        while True:
            lines, offset = self.read(job_id, offset)
            if not lines:
                return found
            for event in map(json.loads, lines):
                if event["attempt"] == attempt and event["type"] in PROGRESS:
                    event["seq"] = event["spool_seq"] or 0
                    found.append(SpoolEvent.model_validate(event))

    def forget(self, job_id: str) -> None:
        """The job is over: let go of what is remembered of its log."""
        self._tails.pop(job_id, None)

    def _write(
        self,
        job_id: str,
        tail: _Tail,
        attempt: int,
        events: Iterable[tuple[SpoolEvent, int | None]],
    ) -> None:
        lines = []
        for event, spool_seq in events:
            tail.seq += 1
            if spool_seq is not None:
                tail.spooled[attempt] = spool_seq
            if event.type is EventType.STATE:
                tail.state = json.dumps(event.data, sort_keys=True)
            lines.append(
                json.dumps(
                    {
                        "seq": tail.seq,
                        "job_id": job_id,
                        "attempt": attempt,
                        "spool_seq": spool_seq,
                        "time": event.time.isoformat().replace("+00:00", "Z"),
                        "type": event.type.value,
                        "data": event.data,
                    }
                )
            )
        descriptor = os.open(
            self._folder.events(job_id), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600
        )
        try:
            data = memoryview(("\n".join(lines) + "\n").encode("ascii"))
            while data:
                data = data[os.write(descriptor, data) :]
        except OSError:
            self._tails.pop(job_id, None)  # what was written is read from the file again
            raise
        finally:
            os.close(descriptor)

    def _tail(self, job_id: str) -> _Tail:
        tail = self._tails.get(job_id)
        if tail is None:
            tail = self._tails[job_id] = _recover(self._folder.events(job_id))
        return tail


def _recover(path: Path) -> _Tail:
    """Read where a log ends, after cutting off a line that a kill left unfinished."""
    tail = _Tail()
    try:
        with path.open("r+b") as file:
            end = 0
            for line in file:
                if not line.endswith(b"\n"):
                    file.truncate(end)
                    break
                end += len(line)
                event = json.loads(line)
                tail.seq = event["seq"]
                if event["spool_seq"] is not None:
                    tail.spooled[event["attempt"]] = event["spool_seq"]
                if event["type"] == EventType.STATE.value:
                    tail.state = json.dumps(event["data"], sort_keys=True)
    except FileNotFoundError:
        pass
    return tail
