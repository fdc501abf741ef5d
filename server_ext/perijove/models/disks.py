"""Whether a disk is full, for those who find that a process has ended without a word."""

from __future__ import annotations

import shutil
from pathlib import Path

LITTLE = 1 << 17
"""Bytes. With less free, a process that starts there cannot even write why it ends."""


def is_full(folder: Path) -> bool:
    """Is the disk of this folder full? Raises OSError: there is no such folder."""
    return shutil.disk_usage(folder).free < LITTLE
