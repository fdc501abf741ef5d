"""The Unix datagram socket on which runners say that their spool grew, and MLflow that a job's
run got metrics, or that anything changed. A lost datagram costs a second: the spools are looked
at anyway.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from perijove.background import Tasks
from perijove.models.events import TrackingChange

log = logging.getLogger(__name__)

Poke = Callable[[str, int], Coroutine[Any, Any, None]]
Changes = Callable[[TrackingChange], None]
Metrics = Callable[[str, int, Sequence[Mapping[str, Any]]], Coroutine[Any, Any, None]]


class Pokes:
    """Bound at a path that the next hub of the workspace has too."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(str(path))
        path.chmod(0o600)
        self._socket.setblocking(False)
        self._waiting: set[tuple[str, int]] = set()
        self._tasks = Tasks("the pokes' socket", log)

    def listen(self, poke: Poke, metrics: Metrics, changes: Changes) -> None:
        """Hand what arrives to the target, to the supervisor and to those who follow MLflow."""
        self._poke, self._metrics, self._changes = poke, metrics, changes
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._receive)

    def close(self) -> None:
        """Stop listening."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _receive(self) -> None:
        for _ in range(256):
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                return
            try:
                message = json.loads(data)
                if "tracking" in message:
                    self._changes(TrackingChange.model_validate(message["tracking"]))
                    continue
                key = (str(message["job_id"]), int(message["attempt"]))
                points = message.get("metrics")
            except (ValueError, KeyError, TypeError, AttributeError):
                log.warning("A datagram that is no poke was dropped")
                continue
            if points is not None:
                self._tasks.spawn(self._metrics(*key, points))
            elif key not in self._waiting:
                # many pokes before the spool is read are one
                self._waiting.add(key)
                self._tasks.spawn(self._deliver(key))

    async def _deliver(self, key: tuple[str, int]) -> None:
        self._waiting.discard(key)
        await self._poke(*key)
