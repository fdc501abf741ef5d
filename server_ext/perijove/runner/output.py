"""What cells put out: bounded in size, reported in pieces."""

from __future__ import annotations

import asyncio
from typing import Any

from nbformat.v4 import new_output

from perijove.models.events import EventType
from perijove.runner.pieces import Pieces
from perijove.runner.spool import Spool

BOUNDED = {"stream", "display_data", "execute_result", "update_display_data", "error"}
ERROR_LENGTH, ERROR_LINES = 10_000, 100
"""Characters and lines kept of an error's traceback past the limit."""


class Outputs:
    """Watches the messages of a kernel on their way into the notebook."""

    def __init__(self, spool: Spool, limit: int) -> None:
        self._spool = spool
        self._limit = limit
        self._kept = 0
        self._full = False
        self._pieces = Pieces(self._tell)
        self._timer: asyncio.TimerHandle | None = None
        self._failed: OSError | None = None
        self.cell = 0

    def admit(self, msg: dict[str, Any], cell: Any) -> bool:
        """Is there room for the message? The first that has none leaves a notice instead.

        An error always passes, shortened if need be: it is what the job ended with.

        Raises
        ------
        OSError: what a timer had to tell could not be written.
        """
        if self._failed is not None:
            raise self._failed
        kind, content = msg["msg_type"], msg["content"]
        if kind not in BOUNDED:
            return True
        size = _size(content)
        self._kept += size
        if self._kept <= self._limit:
            return True
        if kind == "error":
            content["evalue"] = str(content.get("evalue", ""))[:ERROR_LENGTH]
            lines = content.get("traceback", [])[-ERROR_LINES:]
            content["traceback"] = [line[:ERROR_LENGTH] for line in lines]
            return True
        if not self._full:
            self._full = True
            notice = (
                f"\n[Perijove] The output of this job passed {self._limit / 2**20:.0f} MiB. "
                "What follows is not kept; write large results to files in outputs/.\n"
            )
            cell.outputs.append(new_output("stream", name="stderr", text=notice))
            self._pieces.add("stderr", notice)
            self.flush()
        return False

    def report(
        self, msg: dict[str, Any], cell: Any, before: int, output: dict[str, Any] | None
    ) -> None:
        """Tell of what the message changed; there were `before` outputs, `output` is new."""
        kind, content = msg["msg_type"], msg["content"]
        if kind == "clear_output":
            # one that an Output widget takes leaves the cell's outputs
            if not content.get("wait") and not cell.outputs:
                self._clear()
        elif kind == "update_display_data":
            self.flush()
            display_id = (content.get("transient") or {}).get("display_id")
            data = {"display_id": display_id, "data": content["data"]}
            self._spool.emit(
                (EventType.OUTPUT_UPDATED, data | {"metadata": content.get("metadata", {})})
            )
        elif output is not None:
            if len(cell.outputs) <= before:
                # clear_output(wait=True) takes effect now: nbclient has dropped the others
                self._clear()
            if kind == "stream":
                self._pieces.add(output["name"], output["text"])
                self._wind()
                return
            self.flush()
            data = {"index": self.cell, "output": dict(output)}
            if display_id := (content.get("transient") or {}).get("display_id"):
                data["display_id"] = display_id
            self._spool.emit((EventType.OUTPUT, data))

    def flush(self) -> None:
        """Tell of the stream output that is waiting."""
        self._pieces.flush()

    def _tell(self, stream: str, text: str) -> None:
        output = {"output_type": "stream", "name": stream, "text": text}
        self._spool.emit((EventType.OUTPUT, {"index": self.cell, "output": output}))

    def _wind(self) -> None:
        """Let the event loop tell what waits, if no message comes before."""
        due = self._pieces.due
        if due is not None and (self._timer is None or self._timer.when() < _loop_time()):
            self._timer = asyncio.get_running_loop().call_later(due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        try:
            self.flush()
        except OSError as error:  # nobody would hear it here: `admit` raises it
            self._failed = error

    def _clear(self) -> None:
        self._pieces.drop()
        self._spool.emit((EventType.OUTPUT_CLEARED, {"index": self.cell}))


def merge_streams(outputs: list[Any]) -> None:
    """Make one output of the last two, if both are of the same stream, as front ends do."""
    if len(outputs) < 2:
        return
    last, one = outputs[-1], outputs[-2]
    if one.output_type == last.output_type == "stream" and one.name == last.name:
        one.text += last.text
        outputs.pop()


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


def _size(content: dict[str, Any]) -> int:
    if "text" in content:
        return len(content["text"])
    if "traceback" in content:
        return len(content.get("evalue", "")) + sum(map(len, content["traceback"]))
    return sum(
        len(value) if isinstance(value, str) else len(repr(value))
        for value in content.get("data", {}).values()
    )
