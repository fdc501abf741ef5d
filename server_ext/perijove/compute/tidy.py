"""Removes what a machine needs no more: environments that were built there and then deleted."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from perijove.compute.builds import UvBuilder
from perijove.compute.environments import EnvironmentZygotes
from perijove.models.environments import DONE, BuildResult

log = logging.getLogger(__name__)

GO = 5.0
"""Seconds that a zygote has to end."""


async def remove_unwanted(
    folder: Path,
    builder: UvBuilder,
    zygotes: EnvironmentZygotes | None,
    keep: Collection[str],
    used: Callable[[], Collection[str]],
) -> None:
    """Remove environments from `folder`, which is the builder's.

    Parameters
    ----------
    keep: digests of those that there are.
    used: digests of those that attempts are about to run in; asked again and again. What any
        process runs from stays too, until this is called again.
    """
    for digest in set(builder.digests()) - set(keep) - set(used()):
        with suppress(OSError, ValueError):
            built = BuildResult.model_validate_json((folder / digest / DONE).read_text())
            if zygotes is not None:
                zygotes.forget(built.python)
        deadline = asyncio.get_running_loop().time() + GO
        while busy := await asyncio.to_thread(in_use, folder / digest):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.2)
        # an attempt may have come meanwhile
        if not busy and digest not in used():
            freed = await builder.remove(digest)
            log.info("Environment %s was deleted: %s bytes are free again", digest, freed)


def in_use(folder: Path) -> bool:
    """Does a process run from the folder? Its command line says so."""
    needle = f"{folder}{os.sep}".encode()
    for listed in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if needle in listed.read_bytes():
                return True
    return False
