"""``<base>/perijove/api/gallery``: the notebooks that come with the package, to copy."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from perijove.client.shipped import shipped
from perijove.errors import NotFound
from perijove.jupyter.handlers import NOTEBOOKS, HubHandler

ORDER = ("train", "compare", "sweep", "gridsearch", "pytorch")
"""As a newcomer reads them; others follow by name."""


class GalleryHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=NOTEBOOKS)
    async def get(self) -> None:
        """``[{name, title, summary, companions}]``: companions are notebooks that it needs."""
        self.finish(json.dumps([_about(path, _paths()) for path in _paths()]))


class GalleryNotebookHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=NOTEBOOKS)
    async def get(self, name: str) -> None:
        """The notebook."""
        found = next((path for path in _paths() if path.name == name), None)
        if found is None:
            raise NotFound(f"The gallery has no notebook {name}.", field="name")
        self.set_header("Content-Type", "application/json")
        self.finish(found.read_bytes())


def _paths() -> list[Path]:
    def place(path: Path) -> tuple[int, str]:
        known = ORDER.index(path.stem) if path.stem in ORDER else len(ORDER)
        return known, path.name

    return sorted(shipped("gallery").glob("*.ipynb"), key=place)


def _about(path: Path, others: list[Path]) -> dict[str, Any]:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    title, _, text = sources[0].partition("\n")
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(text.split())).replace("`", "")
    code = "\n".join(
        s for s, cell in zip(sources, cells, strict=True) if cell["cell_type"] == "code"
    )
    return {
        "name": path.name,
        "title": title.removeprefix("# ").strip(),
        "summary": re.split(r"(?<=[.?])\s", plain, maxsplit=1)[0],
        "companions": [
            other.name for other in others if other != path and f'"{other.name}"' in code
        ],
    }


GALLERY: list[tuple[str, type[HubHandler]]] = [
    (r"gallery", GalleryHandler),
    (r"gallery/(?P<name>[^/]+)", GalleryNotebookHandler),
]
