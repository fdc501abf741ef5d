"""The runner's spool: numbered events, appended to ``spool.jsonl``; whoever listens is poked."""

from __future__ import annotations

import json
import os
import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from perijove.models.attempts import SPOOL
from perijove.models.events import EventType
from perijove.runner.stops import stops


class Spool:
    """Append-only: whole lines, numbered without gaps.

    A batch is written with one call. What could not be written whole is taken back, and a line
    that a kill cut off is removed when the spool is opened again.
    """

    def __init__(self, folder: Path, job_id: str, attempt: int, poke: str | None) -> None:
        self._path = folder / SPOOL
        self._seq = _repair(self._path)
        self._lock = threading.Lock()
        self._poke = poke
        self._message = json.dumps({"job_id": job_id, "attempt": attempt}).encode()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def emit(self, *events: tuple[EventType, dict[str, Any]]) -> None:
        """Append events.

        Raises
        ------
        OSError: the disk is full; none of the events was kept.
        """
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        with stops.held():
            with self._lock:
                lines = bytearray()
                for number, (type, data) in enumerate(events, self._seq + 1):
                    event = {"seq": number, "time": now, "type": type.value, "data": data}
                    lines += _dump(event) + b"\n"
                self._append(lines)
                self._seq += len(events)
            self.poke()

    def poke(self) -> None:
        """Say that there is something to read; nobody has to listen."""
        if self._poke is not None:
            with suppress(OSError):
                self._socket.sendto(self._message, self._poke)

    def _append(self, lines: bytearray) -> None:
        before = os.fstat(self._file).st_size
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.ftruncate(self._file, before)
            raise


def _dump(event: dict[str, Any]) -> bytes:
    text = json.dumps(event)
    if "\\ud" in text:
        # a surrogate without its partner is no text; pairs come out as they were
        clean = json.dumps(event, ensure_ascii=False).encode("utf-16", "surrogatepass")
        text = json.dumps(json.loads(clean.decode("utf-16", "replace")))
    return text.encode("ascii")


def _repair(path: Path) -> int:
    """The number of the last whole line, after cutting off a torn one."""
    seq = end = 0
    try:
        with path.open("r+b") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    file.truncate(end)
                    break
                end += len(line)
                seq = json.loads(line)["seq"]
    except FileNotFoundError:
        pass
    return seq
