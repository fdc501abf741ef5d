"""The first job after ``perijove up`` on a cold workspace, against the papermill CLI."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from bench import common

ROUNDS = 3


def main() -> Iterator[str]:
    """The figures."""
    ups, firsts, peers = [], [], []
    for _ in range(ROUNDS):
        with common.folder() as folder:
            notebook = common.noop(folder / "noop.ipynb")
            peers.append(common.timed(common.papermill(notebook, folder / "o.ipynb"), folder))
            with common.hub(folder / "home") as hub:
                firsts.append(hub.job(notebook))
                ups.append(hub.up_took)
    up, first, peer = map(statistics.median, (ups, firsts, peers))
    yield f"first job {first:.2f} s, papermill {peer:.2f} s: {first / peer:.2f} times its time"
    yield f"`perijove up` {up:.2f} s; both {up + first:.2f} s, {(up + first) / peer:.2f} times"


if __name__ == "__main__":
    print(*main(), sep="\n")
