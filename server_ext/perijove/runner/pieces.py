"""Text that comes in many small bits, told in few events."""

from __future__ import annotations

import time
from collections.abc import Callable

PIECE = 0.05
"""Seconds of text that make one event: a million prints are not a million events."""
PIECE_LENGTH = 1 << 18


class Pieces:
    """Collects the text of one stream at a time.

    The first bit after a pause is told at once. What waits after that is due at `due`: whoever
    owns this calls `flush` then, or adds more.
    """

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._stream = ""
        self._text: list[str] = []
        self._length = 0
        self._told = 0.0

    @property
    def due(self) -> float | None:
        """Seconds until what waits should be told; None: nothing waits."""
        return max(0.0, self._told + PIECE - time.monotonic()) if self._text else None

    def add(self, stream: str, text: str) -> None:
        """More text of a stream."""
        if stream != self._stream:
            self.flush()
            self._stream = stream
        self._text.append(text)
        self._length += len(text)
        if time.monotonic() - self._told >= PIECE or self._length > PIECE_LENGTH:
            self.flush()

    def flush(self) -> None:
        """Tell what waits."""
        if self._text:
            text = "".join(self._text)
            self.drop()
            self._told = time.monotonic()
            self._tell(self._stream, text)

    def drop(self) -> None:
        """Forget what waits."""
        self._text, self._length = [], 0
