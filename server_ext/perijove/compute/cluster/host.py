"""The first process of a node on another host: a worker and a zygote, and who waits for both.

``python -m perijove.compute.cluster.host tls://SCHEDULER WORKER-OPTIONS…``, run by a batch system.
``--end FOLDER`` ends the node in that folder, with everything that it has started.
It ends when nothing that the node has started is left: a worker may go, because its cluster's
process was killed, and the attempts that it had started come to their end all the same.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from types import FrameType
from urllib.parse import urlsplit

from perijove.compute.cluster.node import zygote_beside
from perijove.compute.cluster.protocol import mark
from perijove.models.processes import end_marked
from perijove.runner.forking import PR_SET_CHILD_SUBREAPER, prctl


def main(arguments: list[str]) -> None:
    """Start both, and wait until all that came of them is gone."""
    if arguments[0] == "--end":
        end_marked(mark(arguments[1]))
        shutil.rmtree(arguments[1], ignore_errors=True)
        return
    if sys.platform == "linux":
        prctl(PR_SET_CHILD_SUBREAPER, 1)
    # a batch system tells all processes: this one ends after the others
    signal.signal(signal.SIGTERM, _go_on)
    with zygote_beside(sys.stderr.buffer) as (control, inherited):
        subprocess.Popen(
            [
                *(sys.executable, "-m", "distributed.cli.dask_worker", *arguments),
                *("--no-nanny", "--host", address_towards(arguments[0])),
                # a worker's own pages have no TLS, and are there without a dashboard too
                *("--no-dashboard", "--dashboard-address", "127.0.0.1:0"),
                *("--preload", "perijove.compute.cluster.node"),
            ],
            env=os.environ | control,
            pass_fds=inherited,
            stdin=subprocess.DEVNULL,
        )
    with suppress(ChildProcessError):
        while True:
            os.wait()


def address_towards(scheduler: str) -> str:
    """This host's address on the way to the scheduler."""
    there = urlsplit(scheduler)
    family = socket.AF_INET6 if ":" in (there.hostname or "") else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((there.hostname, there.port or 9))  # sends nothing
        return str(probe.getsockname()[0])


def _go_on(number: int, frame: FrameType | None) -> None:
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
