"""Answers with a file that users' code made: bytes that no browser takes for a page of ours."""

from __future__ import annotations

import mimetypes
import re
from urllib.parse import quote

from fastapi.responses import StreamingResponse

from perijove.abc.artifacts import OpenFile

RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")
POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def wanted_range(header: str | None) -> tuple[int, int | None]:
    """Start and end of what is asked for; all of it, if that is nothing simple."""
    found = RANGE.fullmatch(header or "")
    if found is None or (found[2] and int(found[2]) < int(found[1])):
        return 0, None
    return int(found[1]), int(found[2]) + 1 if found[2] else None


def file_response(file: OpenFile, header: str | None, download: bool) -> StreamingResponse:
    """The answer; browsers show images and plain text, and save the rest."""
    guessed = mimetypes.guess_type(file.name)[0] or ""
    image, text = guessed.startswith("image/"), guessed.startswith("text/")
    kind = guessed if image else "text/plain; charset=utf-8"
    headers = {
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-store",
    }
    if download or not (image or text):
        name = quote(file.name, safe="")
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
        kind = "application/octet-stream"
    if file.length is not None:
        headers["Content-Length"] = str(file.length)
    if RANGE.fullmatch(header or "") is None or file.size is None:
        return StreamingResponse(file.content, headers=headers, media_type=kind)
    if file.start >= file.size:
        headers |= {"Content-Range": f"bytes */{file.size}", "Content-Length": "0"}
        return StreamingResponse(file.content, 416, headers, kind)
    last = file.start + (file.length or 0) - 1
    headers["Content-Range"] = f"bytes {file.start}-{last}/{file.size}"
    return StreamingResponse(file.content, 206, headers, kind)
