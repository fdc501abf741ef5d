"""What happened to compute targets: ``events.jsonl`` in the folder of each.

It is there for people to read, so it never stands in the way: what cannot be written is only
logged, and a line that was cut off by a crash is left out.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from perijove.models.compute import Operation, TargetEvent
from perijove.writing import replace_file

log = logging.getLogger(__name__)

FILE = "events.jsonl"
KEPT = 200
"""Events of a target; the file is cut to them when it has twice as many."""


class Histories:
    """The histories of a workspace's targets."""

    def __init__(self, folder: Callable[[str], Path]) -> None:
        """`folder` gives a target's own."""
        self._folder = folder
        self._known: dict[str, deque[TargetEvent]] = {}
        self._lines: dict[str, int] = {}

    def of(self, name: str) -> list[TargetEvent]:
        """The last events, oldest first."""
        return list(self._events(name))

    def note(self, name: str, event: str, message: str | None = None) -> None:
        """Something has happened to it by itself."""
        self._add(name, TargetEvent(at=datetime.now(UTC), name=event, message=message))

    def ended(self, name: str, operation: Operation) -> None:
        """An operation is over."""
        at = operation.ended_at or datetime.now(UTC)
        event = TargetEvent(
            at=at,
            name=operation.name,
            outcome="failed" if operation.outcome == "failed" else "succeeded",
            message=operation.message,
            seconds=round((at - operation.begun_at).total_seconds(), 3),
        )
        self._add(name, event)

    def forget(self, name: str) -> None:
        """It was deleted, and its folder with it."""
        self._known.pop(name.lower(), None)
        self._lines.pop(name.lower(), None)

    def _add(self, name: str, event: TargetEvent) -> None:
        events = self._events(name)
        events.append(event)
        self._lines[name.lower()] += 1
        path = self._folder(name) / FILE
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if self._lines[name.lower()] < 2 * KEPT:
                with path.open("a", encoding="utf-8") as file:
                    file.write(event.model_dump_json() + "\n")
                return
            replace_file(path, "".join(e.model_dump_json() + "\n" for e in events))
            self._lines[name.lower()] = len(events)
        except OSError as error:
            log.warning("The history of %s cannot be written: %s", name, error)

    def _events(self, name: str) -> deque[TargetEvent]:
        known = self._known.get(name.lower())
        if known is None:
            known = self._known[name.lower()] = deque(maxlen=KEPT)
            text = _text(self._folder(name) / FILE)
            lines = text.splitlines()
            # nothing is written behind a line that was cut off: the file is made anew
            self._lines[name.lower()] = len(lines) if text.endswith("\n") else 2 * KEPT
            for line in lines[-KEPT:]:
                try:
                    known.append(TargetEvent.model_validate_json(line))
                except ValidationError:
                    continue
        return known


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
