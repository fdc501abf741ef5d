"""Idle memory of the hub and its zygote (proportional set size); MLflow apart."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench import common


def main() -> Iterator[str]:
    """The figures."""
    with common.folder() as folder, common.hub(folder / "home") as hub:
        notebook = common.noop(folder / "noop.ipynb")
        hub.warm(notebook)
        time.sleep(5)
        children = Path(f"/proc/{hub.info.pid}/task/{hub.info.pid}/children").read_text().split()
        record = json.loads((folder / "home/workspaces/default/mlflow/server.json").read_text())
        mlflow = int(record["process"]["pid"])
        zygotes = [int(pid) for pid in children if int(pid) != mlflow]
        # with the spare runner and its kernel
        zygotes += [p.pid for z in zygotes for p in psutil.Process(z).children(recursive=True)]
        ours, zygote = _megabytes(hub.info.pid), sum(map(_megabytes, zygotes))
        yield (
            f"hub {ours:.0f} MB + zygote {zygote:.0f} MB = {ours + zygote:.0f} MB; "
            f"MLflow {_megabytes(mlflow):.0f} MB"
        )


def _megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1000
    raise ValueError(pid)


if __name__ == "__main__":
    print(*main(), sep="\n")
