"""What can be shown of a file, with bounds. Nothing is ever unpickled or run."""

from __future__ import annotations

import csv
import io
import json
import mimetypes
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import JsonValue

from perijove.abc import TaskRunner
from perijove.errors import InvalidInput
from perijove.models.runs import ArtifactPreview

TEXT_BYTES = 1 << 20
"""Of texts and tables, no more than this is read."""
NOTEBOOK_BYTES = 16 << 20
"""A notebook is shown whole or not at all."""
COPIED_BYTES = 200 << 20
"""A file elsewhere that has to be read here as a whole may be as long as this."""
ROWS, COLUMNS, CELL = 500, 200, 500
"""A table's rows and columns, and the characters of a cell, at most."""
IMAGES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".svg", ".avif"}
TABLES = {".csv": ",", ".tsv": "\t"}
TEXTS = {".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html"}


def how(path: str) -> tuple[str, int]:
    """The kind that a name promises, and how many bytes of the file are needed to show it."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in IMAGES:
        return "image", 0
    if suffix in (".parquet", ".pq"):
        return "parquet", 0
    if suffix == ".ipynb":
        return "notebook", NOTEBOOK_BYTES
    if suffix in TABLES:
        return "table", TEXT_BYTES
    if suffix == ".json":
        return "json", TEXT_BYTES
    return TEXTS.get(suffix, "text"), TEXT_BYTES


def preview(path: str, size: int, head: bytes) -> ArtifactPreview:
    """Show a file of which the first bytes are given, as many as `how` wants."""
    kind, _ = how(path)
    found: dict[str, Any] = {
        "path": path,
        "size": size,
        "mime": mimetypes.guess_type(path)[0],
        "truncated": size > len(head),
    }
    if kind == "image":
        return ArtifactPreview(**found | {"kind": "image", "truncated": False})
    if kind == "notebook" and found["truncated"]:
        return nothing(path, size, f"Notebooks of up to {NOTEBOOK_BYTES >> 20} MiB are shown.")
    text = _decoded(head, found["truncated"])
    if text is None:
        return nothing(path, size, "This is no text; download it to open it.")
    if kind == "table":
        return ArtifactPreview(**found | _table(text, path, found["truncated"]))
    if kind in ("json", "notebook") and not _is_json(text):
        kind = "text"
    return ArtifactPreview(**found | {"kind": kind, "text": text})


async def parquet(
    tasks: TaskRunner, path: str, size: int, pieces: AsyncIterator[bytes], local: Path | None = None
) -> ArtifactPreview:
    """Show a Parquet file, read in a process of its own.

    Parameters
    ----------
    size: bytes of the file.
    pieces: its bytes; not asked for if it is `local`, or too long to be copied.
    local: where it is, if it is on this machine.
    """
    if local is None and size > COPIED_BYTES:
        return nothing(path, size, f"Tables of up to {COPIED_BYTES >> 20} MiB are shown.")
    async with copied(pieces, local) as file:
        limits: dict[str, JsonValue] = {"rows": ROWS, "columns": COLUMNS, "cell": CELL}
        try:
            found = await tasks.run("table", {"file": str(file), **limits})
        except InvalidInput as error:
            return nothing(path, size, error.message)
    return ArtifactPreview.model_validate({"path": path, "kind": "table", "size": size} | found)


@asynccontextmanager
async def copied(pieces: AsyncIterator[bytes], local: Path | None = None) -> AsyncIterator[Path]:
    """A file on this machine: where it is, or a copy of it for a while."""
    if local is not None:
        yield local
        return
    descriptor, name = tempfile.mkstemp(prefix="perijove-artifact-")
    try:
        with os.fdopen(descriptor, "wb") as copy:
            async for piece in pieces:
                copy.write(piece)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def nothing(path: str, size: int, message: str) -> ArtifactPreview:
    """Why there is nothing to show."""
    mime = mimetypes.guess_type(path)[0]
    return ArtifactPreview(path=path, kind="none", size=size, mime=mime, message=message)


def _decoded(head: bytes, cut: bool) -> str | None:
    if b"\0" in head:
        return None
    for end in range(4 if cut else 1):  # the last character may be cut in two
        try:
            return head[: len(head) - end].decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
    return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _table(text: str, path: str, cut: bool) -> dict[str, Any]:
    lines = io.StringIO(text[: text.rfind("\n") + 1] if cut else text, newline="")
    reader = csv.reader(lines, delimiter=TABLES[PurePosixPath(path).suffix.lower()])
    rows: list[list[str | None]] = []
    count = 0
    try:
        head = next(reader, [])
        for row in reader:
            count += 1
            if len(rows) < ROWS:
                rows.append([cell[:CELL] for cell in row[:COLUMNS]])
    except csv.Error as error:
        return {"kind": "text", "text": text, "message": f"It is no table: {error}."}
    return {
        "kind": "table",
        "columns": [name[:CELL] for name in head[:COLUMNS]],
        "rows": rows,
        "total_rows": None if cut else count,
        "truncated": cut or count > len(rows) or len(head) > COLUMNS,
    }
