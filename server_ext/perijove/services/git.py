"""Which commit a file is at."""

from __future__ import annotations

import asyncio
from pathlib import Path


async def commit_of(file: Path) -> str | None:
    """The commit checked out where the file lies; None outside git, or without git."""
    if not any((parent / ".git").exists() for parent in file.parents):
        return None
    try:
        process = await asyncio.create_subprocess_exec(
            "git",
            "-C",
            str(file.parent),
            "rev-parse",
            "--verify",
            "HEAD",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 10)
    except (OSError, TimeoutError):
        return None
    return out.decode().strip() or None if process.returncode == 0 else None
