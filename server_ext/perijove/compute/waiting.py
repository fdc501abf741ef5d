"""Waits for processes that are not our children."""

from __future__ import annotations

import asyncio
import os
import select
import sys
from contextlib import suppress

import psutil

POLL = 0.2
"""Seconds between two looks where the system has no pidfd (macOS)."""


async def wait_for_exit(pid: int) -> None:
    """Return when the process is gone or a zombie."""
    if sys.platform == "linux" and hasattr(os, "pidfd_open"):
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            await _readable(descriptor)
        finally:
            os.close(descriptor)
        return
    while True:
        with suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                await asyncio.sleep(POLL)
                continue
        return


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    if select.select([descriptor], [], [], 0)[0]:
        return
    done: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _resolve, done)
    try:
        await done
    finally:
        loop.remove_reader(descriptor)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
