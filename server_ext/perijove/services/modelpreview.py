"""What can be shown of a model's file, from its first bytes. Nothing is unpickled or imported."""

from __future__ import annotations

import csv
import io
import json
import mimetypes
from pathlib import PurePosixPath
from typing import Literal

from perijove.models.runs import ArtifactPreview

HEAD = 512 << 10
"""Bytes of a file that are looked at."""
IMAGE = 8 << 20
"""Bytes of the largest image that is shown."""
ROWS, CELL = 200, 500
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml", "image/bmp")
Kind = Literal["text", "json", "markdown", "html", "notebook"]
KINDS: dict[str, Kind] = {
    ".json": "json",
    ".md": "markdown",
    ".html": "html",
    ".htm": "html",
    ".ipynb": "notebook",
}


def preview_of(path: str, size: int, head: bytes) -> ArtifactPreview:
    """The first bytes of a file as what it seems to be; sizes in bytes."""
    suffix = PurePosixPath(path).suffix.lower()
    mime = mimetypes.guess_type(path)[0]
    if mime in IMAGES:
        if size > IMAGE:
            return _none(path, size, mime, f"Images above {IMAGE >> 20} MiB are not shown.")
        return ArtifactPreview(path=path, kind="image", size=size, mime=mime)
    if b"\0" in head[:8192]:
        return _none(path, size, mime, "It is no text, and is not opened: that could run code.")
    text = head.decode("utf-8", "replace")
    cut = size > len(head)
    if suffix in (".csv", ".tsv"):
        return _table(path, size, mime, text, "\t" if suffix == ".tsv" else ",", cut)
    kind: Kind = KINDS.get(suffix, "text")
    if kind in ("json", "notebook") and (cut or not _is_json(text)):
        kind = "text"
    return ArtifactPreview(path=path, kind=kind, size=size, mime=mime, text=text, truncated=cut)


def _table(
    path: str, size: int, mime: str | None, text: str, delimiter: str, cut: bool
) -> ArtifactPreview:
    try:
        lines = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error:
        return ArtifactPreview(
            path=path, kind="text", size=size, mime=mime, text=text, truncated=cut
        )
    if cut and lines:
        lines.pop()  # half a line
    columns = lines[0] if lines else []
    rows: list[list[str | None]] = [
        [*(cell[:CELL] for cell in line[: len(columns)]), *[None] * (len(columns) - len(line))]
        for line in lines[1:]
    ]
    return ArtifactPreview(
        path=path,
        kind="table",
        size=size,
        mime=mime,
        columns=columns,
        rows=rows[:ROWS],
        total_rows=None if cut else len(rows),
        truncated=cut or len(rows) > ROWS,
    )


def _none(path: str, size: int, mime: str | None, why: str) -> ArtifactPreview:
    return ArtifactPreview(path=path, kind="none", size=size, mime=mime, message=why)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
