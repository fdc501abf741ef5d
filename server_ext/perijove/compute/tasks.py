"""Runs the hub's heavy or untrusted work (*inspect*, *render*) in processes of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from perijove.compute.scratch import scratch
from perijove.compute.waiting import wait_for_exit
from perijove.compute.zygote import Zygote
from perijove.errors import PerijoveError, Unreachable, from_json

TIME_LIMIT = 120.0
"""Seconds a task may take; then it is killed."""


class ProcessTasks:
    """See `TaskRunner`. Forked from the zygote where it is ready, else started."""

    def __init__(self, zygote: Zygote | None) -> None:
        self._zygote = zygote
        self._one_at_a_time = asyncio.Semaphore(1)

    async def run(self, task: str, args: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """See `TaskRunner`."""
        async with self._one_at_a_time:
            with scratch("task") as folder:
                result = folder / "result.json"
                pid = None
                if self._zygote is not None:
                    pid = await self._zygote.fork_task(task, dict(args), result)
                if pid is not None:
                    await self._watch(pid)
                else:
                    await self._start(task, args, result)
                return _read(task, result)

    async def _watch(self, pid: int) -> None:
        try:
            await asyncio.wait_for(wait_for_exit(pid), TIME_LIMIT)
        except TimeoutError:
            os.kill(pid, 9)

    async def _start(self, task: str, args: Mapping[str, JsonValue], result: Path) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "perijove.runner.tasks",
            task,
            json.dumps(dict(args)),
            str(result),
            stdin=asyncio.subprocess.DEVNULL,
        )
        try:
            await asyncio.wait_for(process.wait(), TIME_LIMIT)
        except TimeoutError:
            process.kill()
            await process.wait()


def _read(task: str, result: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(result.read_text())
    except (OSError, ValueError):
        raise Unreachable(
            f"The task {task} ended without a result.", remedy="Look into the hub's log."
        ) from None
    if "error" in found:
        error = found["error"]
        raise from_json(error) if isinstance(error, dict) else PerijoveError(str(error))
    return found
