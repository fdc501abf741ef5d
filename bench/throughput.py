"""100 no-op jobs on 2 slots, against two papermill CLIs side by side."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

from bench import common

JOBS, PEER_JOBS, SLOTS = 100, 8, 2


def main() -> Iterator[str]:
    """The figures."""
    with common.folder() as folder:
        notebook = common.noop(folder / "noop.ipynb")
        begun = time.perf_counter()
        for _ in range(PEER_JOBS // SLOTS):
            running = [
                subprocess.Popen(
                    common.papermill(notebook, folder / f"out{n}.ipynb"),
                    cwd=folder,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                for n in range(SLOTS)
            ]
            assert [process.wait() for process in running] == [0] * SLOTS
        theirs = PEER_JOBS / (time.perf_counter() - begun)
        workspace = folder / "home/workspaces/default"
        workspace.mkdir(parents=True)
        (workspace / "config.yaml").write_text(f"slots: {SLOTS}\n")
        with common.hub(folder / "home") as hub:
            hub.warm(notebook)
            begun = time.perf_counter()
            jobs = [hub.submit(notebook) for _ in range(JOBS)]
            for job in jobs:
                hub.wait(job)
            ours = JOBS / (time.perf_counter() - begun)
            yield (
                f"Perijove {ours:.2f} jobs/s, two papermill CLIs {theirs:.2f} jobs/s: "
                f"{ours / theirs:.1f} times as many"
            )
            for job in jobs:
                hub.wait(job, "recorded")
            recorded = JOBS / (time.perf_counter() - begun)
            yield f"recorded completely in MLflow: {recorded:.2f} jobs/s"


if __name__ == "__main__":
    print(*main(), sep="\n")
