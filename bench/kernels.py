"""Opening a kernel on an instance of this machine that runs, against a plain local ipykernel.

From the request to the first answer of the kernel, through jupyter_client's own kernel manager.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator

from bench import common

ROUNDS = 7
PLAIN, OURS = "python3", "base@box"


def opened(kernel_name: str) -> float:
    """Seconds until a new kernel has answered."""
    from jupyter_client.manager import AsyncKernelManager

    async def once() -> float:
        manager = AsyncKernelManager(kernel_name=kernel_name)
        begun = time.perf_counter()
        await manager.start_kernel()
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(60)
        took = time.perf_counter() - begun
        client.stop_channels()
        await manager.shutdown_kernel(now=True)
        return took

    return asyncio.run(once())


def main() -> Iterator[str]:
    """The figures."""
    with common.folder() as folder:
        os.environ["JUPYTER_DATA_DIR"] = str(folder / "data")
        try:
            with common.hub(folder / "home") as hub:
                hub.warm(common.noop(folder / "noop.ipynb"))
                hub.perijove("compute", "create", "box", "--kind", "instance", "--cpus", "2")
                while not (folder / "data" / "kernels" / OURS / "kernel.json").exists():
                    time.sleep(0.1)
                time.sleep(10)
                row = common.beside(
                    lambda: opened(OURS), lambda: opened(PLAIN), ROUNDS, "a local ipykernel"
                )
                yield f"a kernel opened: {row}"
        finally:
            del os.environ["JUPYTER_DATA_DIR"]


if __name__ == "__main__":
    print(*main(), sep="\n")
