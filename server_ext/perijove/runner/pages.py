"""The HTML view of an executed notebook: one file, with the pictures that lay beside it."""

from __future__ import annotations

import base64
import mimetypes
import os
import re
import stat
from collections.abc import Sequence
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

PICTURE_BYTES = 10 << 20
PICTURES_BYTES = 50 << 20
"""A larger picture, and what passes this in all, is left out of the page."""

ATTACHMENT = re.compile(r"attachment:([^\s)\"'>]+)")
BESIDE = re.compile(
    r"""(<img\b[^>]*?\ssrc=")(?!/|\#|[a-z][a-z0-9+.-]*:)([^"]+)(?=")""", re.IGNORECASE
)
"""An image whose source is a relative path."""

VIEW, WIDGET = "application/vnd.perijove.view+json", "application/vnd.jupyter.widget-view+json"
"""What marks the outputs of our widgets, and what makes a page draw any widget."""


def render(notebook: str, html: str, title: str, folders: Sequence[str] = ()) -> dict[str, Any]:
    """An HTML page of an executed notebook.

    Relative paths of pictures are looked for in `folders`; the first that has the file counts.
    """
    import nbformat

    node = _still(nbformat.read(notebook, as_version=4))
    for cell in node.cells:
        _complete_attachments(cell)
    resources = {"metadata": {"name": title}}
    try:
        body, _ = _exporter().from_notebook_node(node, resources)
    except Exception:
        # kernels take what nbconvert refuses: tags that are no list, ids with blanks, old widgets
        body, _ = _exporter().from_notebook_node(_without_metadata(node), resources)
    partial = Path(html).with_name(f".{Path(html).name}")
    partial.write_text(_embed(body, folders), encoding="utf-8", errors="replace")
    os.replace(partial, html)
    return {"html": html}


@cache
def _exporter() -> Any:
    from nbconvert import HTMLExporter

    return HTMLExporter(template_name="lab")


def rehearse_render() -> None:
    """Render what most notebooks have, so that forks find templates and lexers compiled."""
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

    outputs = [
        new_output("stream", name="stdout", text="\x1b[31mred\x1b[0m"),
        new_output("display_data", data={"text/html": "<p>a</p>", "text/plain": "a"}),
        new_output("error", ename="E", evalue="v", traceback=["\x1b[31mE\x1b[0m: v"]),
    ]
    code = "import os  # why\nfor i in range(3):\n    print(f'{i:.2f}', os.sep)\n%time 1 + 1"
    cells = [
        new_markdown_cell("# Title\n\n*a* [b](c) `d` $e$\n\n- f\n\n```python\ng = 1\n```"),
        new_code_cell(code, outputs=outputs, execution_count=1),
    ]
    metadata = {"language_info": {"name": "ipython", "pygments_lexer": "ipython3"}}
    _exporter().from_notebook_node(new_notebook(cells=cells, metadata=metadata))


def _still(node: Any) -> Any:
    """Our widgets as they looked last: their HTML, where a page would fetch what draws them live
    from elsewhere."""
    left = False
    for cell in node.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if VIEW in data:
                data.pop(WIDGET, None)
            left = left or WIDGET in data
    if not left:
        node.metadata.pop("widgets", None)
    return node


def _without_metadata(node: Any) -> Any:
    """The same notebook with what can be seen of it, and nothing else."""
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

    make = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}
    shown = ("source", "outputs", "execution_count", "attachments")
    cells = [
        make[cell.cell_type](**{key: cell[key] for key in shown if key in cell})
        for cell in node.cells
    ]
    language = node.metadata.get("language_info", {})
    return new_notebook(
        cells=cells, metadata={"language_info": language} if "name" in language else {}
    )


def _complete_attachments(cell: Any) -> None:
    """nbconvert gives up the page for an attachment that is not there, and takes the name as it
    is written: show a broken picture, and find what has a blank in its name."""
    if cell.cell_type != "markdown" or "attachment:" not in cell.source:
        return
    kept = cell.setdefault("attachments", {})
    for name in ATTACHMENT.findall(cell.source):
        if not kept.get(name):
            kept[name] = kept.get(unquote(name)) or {"image/png": ""}


def _embed(page: str, folders: Sequence[str]) -> str:
    left = PICTURES_BYTES

    def embedded(found: re.Match[str]) -> str:
        nonlocal left
        path = unquote(unescape(found[2])).partition("?")[0]
        kind, _ = mimetypes.guess_type(path)
        if not (kind or "").startswith("image/"):
            return found[0]
        for folder in folders:
            data = _picture(os.path.join(folder, path), min(PICTURE_BYTES, left))
            if data is not None:
                left -= len(data)
                return f"{found[1]}data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
        return found[0]

    return BESIDE.sub(embedded, page)


def _picture(path: str, limit: int) -> bytes | None:
    """What a regular file of at most `limit` bytes has; None: it is none."""
    try:
        # O_NONBLOCK: a FIFO must not be waited for
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if stat.S_ISREG(found.st_mode) and found.st_size <= limit:
                return file.read(limit)
    except (OSError, ValueError):
        pass
    return None
