"""``python -m bench [NAME …] [--write]``: run the benchmarks; ``--write`` keeps the figures."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench import (
    cluster,
    dashboard,
    first_job,
    kernels,
    logging,
    memory,
    noop_job,
    scheduler,
    sklearn_job,
    ssh,
    studio,
    studio_live,
    studio_ui,
    throughput,
)

BENCHES = {
    "noop_job": noop_job.main,
    "sklearn_job": sklearn_job.main,
    "first_job": first_job.main,
    "throughput": throughput.main,
    "scheduler": scheduler.main,
    "cluster": cluster.main,
    "kernels": kernels.main,
    "logging": logging.main,
    "ssh": ssh.main,
    "memory": memory.main,
    "studio": studio.main,
    "studio_ui": studio_ui.main,
    "studio_live": studio_live.main,
    "dashboard": dashboard.main,
}
RESULTS = Path(__file__).with_name("RESULTS.md")


def main(words: list[str]) -> int:
    """Run the named benchmarks, or all."""
    names = [word for word in words if not word.startswith("-")] or list(BENCHES)
    rows = []
    for name in names:
        print(f"{name} …", flush=True)
        for row in BENCHES[name]():
            print(f"  {row}", flush=True)
            rows.append(f"| {name} | {row} |")
    if "--write" in words:
        cores = len(os.sched_getaffinity(0))
        head = (
            f"\n## {datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n\n"
            f"`make bench`, Python {platform.python_version()}, {platform.system()}, "
            f"{cores} cores, medians.\n\n| benchmark | figures |\n|---|---|\n"
        )
        with RESULTS.open("a") as file:
            file.write(head + "\n".join(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
