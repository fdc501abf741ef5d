"""What is installed in an interpreter: kept with the run, and watched by the zygote.

Asking an interpreter takes a second, so the answer is remembered in the machine's runtime folder
for as long as none of the folders it came from has changed. An attempt asks when it begins and
collects when it ends; it never fails for want of an answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from perijove.models.processes import runtime_dir
from perijove.runner.state import origin

ASK = """
import json, sys
from importlib.metadata import distributions
print(json.dumps([sys.path[1:], {
    name: x.version for x in distributions(path=sys.path[1:]) if (name := x.metadata["Name"])
}]))
"""
PATIENCE = 5.0
"""Seconds an attempt that has ended waits for the answer."""


@cache
def our_packages() -> dict[str, str]:
    """Package → version of this interpreter."""
    found = distributions(path=origin.path)
    packages = {name: each.version for each in found if (name := each.metadata["Name"])}
    _remember(sys.executable, origin.path, packages)
    return packages


class Inventory:
    """The packages of one interpreter, asked for in the background."""

    def __init__(self, python: str) -> None:
        self._python = python
        self._known: dict[str, str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        if python == sys.executable and our_packages.cache_info().currsize:
            self._known = our_packages()
        else:
            self._known = _recall(python)
        if self._known is None:
            with suppress(OSError):
                self._process = subprocess.Popen(
                    [python, "-c", ASK],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=origin.environ,
                )

    def collect(self) -> dict[str, str]:
        """Package → version; empty when the interpreter did not say."""
        if self._known is None and self._process is not None:
            try:
                output, _ = self._process.communicate(timeout=PATIENCE)
                folders, self._known = json.loads(output)
                assert self._known is not None
                _remember(self._python, folders, self._known)
            except (OSError, subprocess.SubprocessError, ValueError):
                self._process.kill()
        return self._known or {}


def folder_times(folders: list[str]) -> dict[str, int]:
    """When something was last installed into, or removed from, each folder: mtime in ns."""
    times = {}
    for folder in folders:
        with suppress(OSError):
            times[folder] = os.stat(folder or ".").st_mtime_ns
    return times


def _note(python: str) -> Path:
    name = hashlib.sha256(python.encode()).hexdigest()[:16]
    return runtime_dir() / f"packages-{name}.json"


def _recall(python: str) -> dict[str, str] | None:
    try:
        times, packages = json.loads(_note(python).read_text())
        same = folder_times(list(times)) == times
    except (OSError, ValueError):
        return None
    found: dict[str, str] = packages
    return found if same else None


def _remember(python: str, folders: list[str], packages: dict[str, str]) -> None:
    with suppress(OSError):
        note = _note(python)
        partial = note.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps([folder_times(folders), packages]))
        partial.replace(note)
