"""What cells put out: bounded in size, reported in pieces."""

from __future__ import annotations

import time
from typing import Any

from nbformat.v4 import new_output

from perijove.models.events import EventType
from perijove.runner.spool import Spool

PIECE = 0.05
"""Seconds of stream output that make one event: a million prints are not a million events."""
PIECE_BYTES = 1 << 18


class Outputs:
    """Watches the messages of a kernel on their way into the notebook."""

    def __init__(self, spool: Spool, limit: int) -> None:
        self._spool = spool
        self._limit = limit
        self._kept = 0
        self._full = False
        self._stream = ""
        self._text: list[str] = []
        self._size = 0
        self._since = 0.0
        self.cell = 0

    def admit(self, msg: dict[str, Any], cell: Any) -> bool:
        """Is there room for the message? The first that has none leaves a notice instead."""
        if msg["msg_type"] not in (
            "stream",
            "display_data",
            "execute_result",
            "update_display_data",
        ):
            return True
        self._kept += _size(msg["content"])
        if self._kept <= self._limit:
            return True
        if not self._full:
            self._full = True
            notice = (
                f"\n[Perijove] The output of this job passed {self._limit / 2**20:.0f} MiB. "
                "What follows is not kept; write large results to files in outputs/.\n"
            )
            cell.outputs.append(new_output("stream", name="stderr", text=notice))
            self._append("stderr", notice)
            self.flush()
        return False

    def report(
        self, msg: dict[str, Any], cell: Any, before: int, output: dict[str, Any] | None
    ) -> None:
        """Tell of what the message changed."""
        kind, content = msg["msg_type"], msg["content"]
        if kind == "stream":
            self._cleared_if(len(cell.outputs) <= before)
            self._append(content["name"], content["text"])
        elif kind == "clear_output":
            if not content.get("wait"):
                self._clear()
        elif kind == "update_display_data":
            self.flush()
            display_id = content.get("transient", {}).get("display_id")
            data = {"display_id": display_id, "data": content["data"]}
            self._spool.emit(
                (EventType.OUTPUT_UPDATED, data | {"metadata": content.get("metadata", {})})
            )
        elif output is not None:
            self._cleared_if(len(cell.outputs) <= before)
            self.flush()
            data = {"index": self.cell, "output": dict(output)}
            if display_id := content.get("transient", {}).get("display_id"):
                data["display_id"] = display_id
            self._spool.emit((EventType.OUTPUT, data))

    def flush(self) -> None:
        """Tell of the stream output that is waiting."""
        if self._text:
            output = {"output_type": "stream", "name": self._stream, "text": "".join(self._text)}
            self._text, self._size = [], 0
            self._spool.emit((EventType.OUTPUT, {"index": self.cell, "output": output}))

    def _append(self, stream: str, text: str) -> None:
        if stream != self._stream:
            self.flush()
            self._stream = stream
        if not self._text:
            self._since = time.monotonic()
        self._text.append(text)
        self._size += len(text)
        if time.monotonic() - self._since > PIECE or self._size > PIECE_BYTES:
            self.flush()

    def _cleared_if(self, cleared: bool) -> None:
        # clear_output(wait=True) takes effect with the next output: nbclient has dropped the others
        if cleared:
            self._clear()

    def _clear(self) -> None:
        self._text, self._size = [], 0
        self._spool.emit((EventType.OUTPUT_CLEARED, {"index": self.cell}))


def _size(content: dict[str, Any]) -> int:
    if "text" in content:
        return len(content["text"])
    return sum(
        len(value) if isinstance(value, str) else len(repr(value))
        for value in content.get("data", {}).values()
    )
