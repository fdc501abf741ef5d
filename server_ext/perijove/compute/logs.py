"""The logs of targets."""

from __future__ import annotations

from pathlib import Path

LOG_BYTES = 400_000
"""Bytes of a log that are looked at: its end."""


def end_of(path: Path) -> str:
    """The end of a log; empty, if there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LOG_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def last_line(text: str) -> str:
    """What a log says last."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it left no log"
