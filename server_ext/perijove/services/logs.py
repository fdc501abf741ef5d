"""A job's log: the text that its events carry, in order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from perijove.models.events import EventType
from perijove.services.events import EventLogs

SAID = {"queued", "succeeded", "failed", "canceled"}
"""States that are said with their reason; those between keep that of the attempt before."""
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def log_text(logs: EventLogs, job_id: str) -> Iterator[str]:
    """The whole log, in pieces."""
    offset = 0
    while True:
        lines, after = logs.read(job_id, offset)
        if not lines:
            return
        offset = after
        for line in lines:
            if text := event_text(json.loads(line)):
                yield text


def event_text(event: dict[str, Any]) -> str:
    """The text of one event; empty for most."""
    data = event["data"]
    match event["type"]:
        case EventType.LOG.value:
            return str(data.get("text", ""))
        case EventType.OUTPUT.value:
            return _output_text(data.get("output") or {})
        case EventType.STATE.value if data["state"] in SAID and (
            data.get("reason") or data.get("message")
        ):
            return f"[{data['state']}] {data.get('message') or data.get('reason')}\n"
    return ""


def _output_text(output: dict[str, Any]) -> str:
    match output.get("output_type"):
        case "stream":
            return _joined(output.get("text", ""))
        case "error":
            return ANSI.sub("", "\n".join(map(str, output.get("traceback", [])))) + "\n"
        case "execute_result" | "display_data":
            plain = _joined(output.get("data", {}).get("text/plain", ""))
            return plain + "\n" if plain else ""
    return ""


def _joined(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)
