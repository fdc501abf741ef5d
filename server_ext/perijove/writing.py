"""Files that are whole whenever somebody looks."""

from __future__ import annotations

import os
import time
from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Write beside and rename. Only the owner may read the file: it may hold keys."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    try:
        partial.touch(0o600)
        partial.write_text(text, "utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
