"""100 no-op jobs on 2 slots, against two papermill CLIs side by side."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench import common

JOBS, SLOTS = 100, 2


def main() -> Iterator[str]:
    """The figures."""
    with common.folder() as folder:
        notebook = common.noop(folder / "noop.ipynb")
        theirs = common.two_clis(notebook, folder)
        workspace = folder / "home/workspaces/default"
        workspace.mkdir(parents=True)
        (workspace / "config.yaml").write_text(f"slots: {SLOTS}\n")
        with common.hub(folder / "home") as hub:
            hub.warm(notebook)
            begun = time.perf_counter()
            jobs = hub.many(notebook, JOBS)
            ours = JOBS / (time.perf_counter() - begun)
            yield common.rates(ours, theirs)
            for job in jobs:
                hub.wait(job, "recorded")
            recorded = JOBS / (time.perf_counter() - begun)
            yield f"recorded completely in MLflow: {recorded:.2f} jobs/s"


if __name__ == "__main__":
    print(*main(), sep="\n")
