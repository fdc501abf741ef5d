"""One no-op job, warm, against jupyter-scheduler's executor (in an environment of its own)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench import common

ROUNDS = 3
PEERS = Path(os.environ.get("PERIJOVE_PEERS", common.ROOT / ".venv-peers"))


def main() -> Iterator[str]:
    """The figures."""
    python = PEERS / "bin/python"
    if not python.exists():
        yield "jupyter-scheduler is not installed: `make bench` installs it beside"
        return
    with common.folder() as folder, common.hub(folder / "home") as hub:
        notebook = common.noop(folder / "noop.ipynb")
        hub.warm(notebook)

        def peer() -> float:
            script = Path(__file__).with_name("scheduler_peer.py")
            command = [str(python), str(script), str(notebook), str(folder)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            return float(done.stdout.split()[-1])

        yield common.beside(lambda: hub.job(notebook), peer, ROUNDS, "jupyter-scheduler")


if __name__ == "__main__":
    print(*main(), sep="\n")
