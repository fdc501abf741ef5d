"""Jobs on a Dask cluster of this machine: one on a warm node, 100 on two nodes, one from zero.

The peers are the papermill CLI and, for scaling from zero, what bare Dask adaptive needs for its
first task plus the start of one kernel.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from bench import common

ROUNDS, FROM_ZERO, JOBS = 7, 3, 100
DASK = """
import time
from distributed import Client, LocalCluster
from jupyter_client.manager import start_new_kernel
if __name__ == "__main__":
    with LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=None) as cluster:
        cluster.adapt(minimum=0, maximum=2, interval="100ms")
        with Client(cluster) as client:
            begun = time.perf_counter()
            client.submit(int).result()
            manager, kernel = start_new_kernel()
            print(time.perf_counter() - begun)
            kernel.stop_channels()
            manager.shutdown_kernel(now=True)
"""


def main() -> Iterator[str]:
    """The figures."""
    with common.folder() as folder, common.hub(folder / "home") as hub:
        notebook = common.noop(folder / "noop.ipynb")
        hub.warm(notebook)
        hub.perijove("compute", "create", "warm", "--min-nodes", "1", "--max-nodes", "2")
        for _ in range(3):
            hub.job(notebook, compute="warm")
        time.sleep(5)
        peer = common.papermill(notebook, folder / "out.ipynb")
        yield "on a warm node: " + common.beside(
            lambda: hub.job(notebook, compute="warm"), lambda: common.timed(peer, folder), ROUNDS
        )
        theirs = common.two_clis(notebook, folder)
        hub.perijove("compute", "scale", "warm", "--min-nodes", "2")
        time.sleep(10)
        begun = time.perf_counter()
        hub.many(notebook, JOBS, compute="warm")
        ours = JOBS / (time.perf_counter() - begun)
        yield "100 jobs on two nodes: " + common.rates(ours, theirs)
        hub.perijove("compute", "delete", "warm")
        yield "from zero: " + _from_zero(hub, notebook, folder / "adaptive.py")


def _from_zero(hub: common.Hub, notebook: common.Path, script: common.Path) -> str:
    script.write_text(DASK)
    mine, theirs = [], []
    for number in range(FROM_ZERO):
        done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        theirs.append(float(done.stdout.split()[-1]))
        name = f"zero{number}"
        hub.perijove("compute", "create", name)
        mine.append(hub.job(notebook, compute=name))
        hub.perijove("compute", "delete", name)
    a, b = statistics.median(mine), statistics.median(theirs)
    return f"Perijove {a:.2f} s to the end, Dask and a kernel {b:.2f} s: {a / b:.2f} times as long"


if __name__ == "__main__":
    print(*main(), sep="\n")
