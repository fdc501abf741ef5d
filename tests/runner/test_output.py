"""Outputs on their way into the notebook and the spool."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_output

from perijove.models.events import EventType
from perijove.runner.output import Outputs, merge_streams
from perijove.runner.pieces import Pieces
from perijove.runner.spool import Spool
from runner.helpers import events


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"msg_type": "stream", "content": {"name": name, "text": text}}


def feed(outputs: Outputs, cell: Any, message: dict[str, Any]) -> None:
    """What the engine does with a message."""
    if not outputs.admit(message, cell):
        return
    before = len(cell.outputs)
    output = None
    if message["msg_type"] == "stream":
        output = new_output("stream", **message["content"])
        cell.outputs.append(output)
    outputs.report(message, cell, before, output)


@pytest.mark.asyncio
async def test_a_print_before_a_long_silence_is_told(tmp_path: Path) -> None:
    outputs, cell = Outputs(Spool(tmp_path, "job", 1, None), 10**6), new_code_cell()
    for text in ("one\n", "two\n", "three\n"):
        feed(outputs, cell, stream(text))
    while "".join(e["data"]["output"]["text"] for e in events(tmp_path)) != "one\ntwo\nthree\n":
        await asyncio.sleep(0.01)
    assert len(events(tmp_path)) <= 2


@pytest.mark.asyncio
async def test_many_prints_are_few_events(tmp_path: Path) -> None:
    outputs, cell = Outputs(Spool(tmp_path, "job", 1, None), 10**7), new_code_cell()
    for _ in range(20_000):
        feed(outputs, cell, stream("x\n"))
    outputs.flush()
    assert len(events(tmp_path)) < 2_000
    assert sum(len(e["data"]["output"]["text"]) for e in events(tmp_path)) == 40_000


@pytest.mark.asyncio
async def test_what_a_timer_could_not_write_is_raised(tmp_path: Path) -> None:
    class Full(Spool):
        def emit(self, *events: Any) -> None:
            raise OSError(28, "No space left on device")

    outputs, cell = Outputs(Full(tmp_path, "job", 1, None), 10**6), new_code_cell()
    outputs._pieces._told = float("inf")  # nothing is due at once
    feed(outputs, cell, stream("x"))
    outputs._pieces._told = 0.0
    outputs._ring()
    with pytest.raises(OSError, match="No space"):
        feed(outputs, cell, stream("y"))


@pytest.mark.asyncio
async def test_an_error_passes_the_limit_shortened(tmp_path: Path) -> None:
    outputs, cell = Outputs(Spool(tmp_path, "job", 1, None), 100), new_code_cell()
    content = {"ename": "E", "evalue": "v" * 10**6, "traceback": ["t" * 10**6] * 1000}
    message: dict[str, Any] = {"msg_type": "error", "content": content}
    assert outputs.admit(message, cell)
    assert len(content["evalue"]) + sum(map(len, content["traceback"])) < 1_100_000


def test_pieces_are_of_one_stream() -> None:
    told: list[tuple[str, str]] = []
    pieces = Pieces(lambda stream, text: told.append((stream, text)))
    pieces.add("stdout", "a")
    pieces.add("stdout", "b")
    pieces.add("stderr", "c")
    assert pieces.due is not None
    pieces.flush()
    assert pieces.due is None
    assert told == [("stdout", "a"), ("stdout", "b"), ("stderr", "c")]


@pytest.mark.asyncio
async def test_what_an_output_widget_clears_is_not_the_cell_s(tmp_path: Path) -> None:
    outputs, cell = Outputs(Spool(tmp_path, "job", 1, None), 10**6), new_code_cell()
    clear = {"msg_type": "clear_output", "content": {"wait": False}}
    feed(outputs, cell, stream("kept"))
    feed(outputs, cell, clear)
    outputs.flush()
    assert [e["type"] for e in events(tmp_path)] == ["output"]
    cell.outputs.clear()  # as nbclient does
    feed(outputs, cell, clear)
    assert [e["type"] for e in events(tmp_path)] == ["output", "output_cleared"]


def test_neighbouring_streams_become_one() -> None:
    outputs = [new_output("stream", name="stdout", text="a")]
    for name, text in (("stdout", "b"), ("stderr", "c"), ("stdout", "d")):
        outputs.append(new_output("stream", name=name, text=text))
        merge_streams(outputs)
    assert [(o.name, o.text) for o in outputs] == [
        ("stdout", "ab"),
        ("stderr", "c"),
        ("stdout", "d"),
    ]


def test_a_batch_that_did_not_fit_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, "job", 1, None)
    spool.emit((EventType.LOG, {"text": "1"}))
    write = os.write

    def full(descriptor: int, data: Any) -> int:
        write(descriptor, bytes(data)[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("perijove.runner.spool.os.write", full)
    with pytest.raises(OSError, match="No space"):
        spool.emit((EventType.LOG, {"text": "2"}))
    monkeypatch.undo()
    spool.emit((EventType.LOG, {"text": "3"}))
    assert [(e["seq"], e["data"]["text"]) for e in events(tmp_path)] == [(1, "1"), (2, "3")]
