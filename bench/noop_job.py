"""A no-op notebook job, warm: submit → *succeeded* through the API, against the papermill CLI."""

from __future__ import annotations

from collections.abc import Iterator

from bench import common

ROUNDS = 9


def main() -> Iterator[str]:
    """The figures."""
    with common.folder() as folder, common.hub(folder / "home") as hub:
        notebook = common.noop(folder / "noop.ipynb")
        hub.warm(notebook)
        peer = common.papermill(notebook, folder / "out.ipynb")
        yield common.beside(lambda: hub.job(notebook), lambda: common.timed(peer, folder), ROUNDS)


if __name__ == "__main__":
    print(*main(), sep="\n")
