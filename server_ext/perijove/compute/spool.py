"""Reads a runner's spool as it grows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from perijove.models.events import SpoolEvent

PIECE = 1 << 20
"""Bytes read at once: a huge spool must not fill the hub's memory."""


class SpoolReader:
    """Whole lines of a growing file, each read once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = self._before = 0

    def rewind(self) -> None:
        """Give the lines that were read last again."""
        self._offset = self._before

    def read(self) -> list[SpoolEvent]:
        """The next whole lines, about `PIECE` bytes of them; empty when there is nothing new."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(PIECE)
                if data and b"\n" not in data:
                    data += file.readline()
        except FileNotFoundError:
            return []
        end = data.rfind(b"\n") + 1
        self._before = self._offset
        self._offset += end
        return [_event(line) for line in data[:end].splitlines() if line]


def _event(line: bytes) -> SpoolEvent:
    data: dict[str, Any] = json.loads(line)
    try:
        return SpoolEvent.model_validate(data)
    except ValidationError:  # a lone surrogate, which no UTF-8 can carry
        clean = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")
        return SpoolEvent.model_validate_json(clean)
