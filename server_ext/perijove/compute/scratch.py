"""Temporary folders that outlast no process for long, even one that was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

YOUNG = 60.0
"""Seconds in which the lock of a new folder may still be on its way."""


@contextmanager
def scratch(purpose: str) -> Iterator[Path]:
    """A folder, removed at the end; what killed processes have left for `purpose` goes too."""
    prefix = f"perijove-{purpose}-"
    _sweep(Path(tempfile.gettempdir()), prefix)
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        held = os.open(name, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(held)


def _sweep(folder: Path, prefix: str) -> None:
    for left in folder.glob(f"{prefix}*"):
        with suppress(OSError):  # other people's, or held by a process that lives
            if left.is_symlink() or time.time() - left.stat().st_mtime < YOUNG:
                continue
            held = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left)
            finally:
                os.close(held)
