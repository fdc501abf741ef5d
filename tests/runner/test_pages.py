"""The HTML view of an executed notebook."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from perijove.runner import pages

PICTURE = b"\x89PNG\r\n"
DATA = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"


def page(tmp_path: Path, *cells: Any, tags: Any = (), **metadata: Any) -> str:
    work = tmp_path / "root/nbs"
    work.mkdir(parents=True)
    (tmp_path / "root/a b.png").write_bytes(PICTURE)
    (work / "c.png").write_bytes(PICTURE)
    (work / "large.png").write_bytes(b"\0" * (pages.PICTURE_BYTES + 1))
    (work / "secret").write_bytes(PICTURE)
    os.mkfifo(work / "fifo.png")
    notebook, html = tmp_path / "n.ipynb", tmp_path / "n.html"
    made = new_notebook(cells=list(cells))
    made.metadata |= metadata
    for cell in made.cells:
        cell.metadata |= {} if cell.cell_type == "markdown" else {"tags": tags}
    notebook.write_text(json.dumps(made))
    pages.render(str(notebook), str(html), "n", [str(tmp_path / "none"), str(work)])
    return html.read_text()


def test_pictures_beside_the_notebook_are_in_the_page(tmp_path: Path) -> None:
    shown = '<img src="c.png?x=1"> <img alt="x" src="../a b.png">'
    output = new_output("display_data", data={"text/html": '<p><img src="c.png"></p>'})
    text = page(
        tmp_path,
        new_markdown_cell(f"![a](c.png) ![b](../a%20b.png)\n\n{shown}"),
        new_code_cell("1", outputs=[output]),
        new_markdown_cell("![](https://x.example/y.png) ![](large.png) ![](fifo.png) ![](secret)"),
    )
    assert text.count(f'src="{DATA}"') == 5
    for left in ("https://x.example/y.png", "large.png", "fifo.png", "secret"):
        assert f'src="{left}"' in text


def test_attachments_are_shown_and_missing_ones_cost_no_page(tmp_path: Path) -> None:
    kept = {"a b.png": {"image/png": base64.b64encode(PICTURE).decode()}, "empty.png": {}}
    source = "![](attachment:a%20b.png) ![](attachment:gone.png) ![](attachment:empty.png)"
    text = page(tmp_path, new_markdown_cell(source, attachments=kept), new_markdown_cell("# End"))
    assert text.count(f'src="{DATA}"') == 1
    assert "End" in text


def test_what_nbconvert_refuses_is_shown_all_the_same(tmp_path: Path) -> None:
    cell = new_code_cell("print('code')")
    cell.outputs = [new_output("stream", name="stdout", text="said")]
    widgets = {"application/vnd.jupyter.widget-state+json": {"old": 1}}
    text = page(tmp_path, cell, tags="parameters", widgets=widgets, kernelspec={"name": "python3"})
    assert "said" in text
