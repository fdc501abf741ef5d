"""Tells those who wait that something changed; what changed, they read from the store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Broker:
    """A wake-up for subscribers. Many changes between two looks are one wake-up."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()
        self.closed = False

    @property
    def followed(self) -> bool:
        """Does anybody wait?"""
        return bool(self._waiting)

    def changed(self) -> None:
        """Wake every subscriber."""
        for event in self._waiting:
            event.set()

    def close(self) -> None:
        """Wake every subscriber for the last time."""
        self.closed = True
        self.changed()

    @contextmanager
    def subscribe(self) -> Iterator[asyncio.Event]:
        """An event that is set at every change; clear it *before* looking."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            yield event
        finally:
            self._waiting.discard(event)
