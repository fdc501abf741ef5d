"""The gallery's pandas + scikit-learn notebook, warm, against the papermill CLI."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from bench import common

ROUNDS = 7


def main() -> Iterator[str]:
    """The figures."""
    with common.folder() as folder, common.hub(folder / "home") as hub:
        notebook = folder / "iris.ipynb"
        shutil.copy(common.ROOT / "notebooks/gallery/iris.ipynb", notebook)
        hub.warm(notebook)
        peer = common.papermill(notebook, folder / "out.ipynb")
        yield common.beside(lambda: hub.job(notebook), lambda: common.timed(peer, folder), ROUNDS)


if __name__ == "__main__":
    print(*main(), sep="\n")
