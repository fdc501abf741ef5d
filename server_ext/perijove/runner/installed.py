"""Is what this process has imported still what is installed?"""

from __future__ import annotations

import os
import sys
import sysconfig
from contextlib import suppress

INFO = (".dist-info", ".egg-info", ".pth")


class Installed:
    """Watches the folders packages are installed into, and modules that lie elsewhere.

    The second are those of editable installations, which are changed in place.
    """

    def __init__(self) -> None:
        self._folders: dict[str, int] = {}
        self._packages: set[tuple[str, int]] = set()
        self._files: dict[str, int] = {}

    def note(self) -> None:
        """What is imported and installed now is what should be."""
        self._folders = {folder: _time(folder) for folder in sys.path if os.path.isdir(folder)}
        self._packages = _packages(self._folders)
        fixed = (*self._folders, sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
        fixed = tuple(
            folder + os.sep
            for folder in fixed
            if folder.endswith(("-packages", "lib-dynload")) or folder.startswith(sys.base_prefix)
        )
        found = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        self._files = {
            path: _time(path)
            for path in found
            if isinstance(path, str) and os.path.isabs(path) and not path.startswith(fixed)
        }

    def changed(self) -> bool:
        """Has it changed since? A few system calls when it has not."""
        if any(_time(path) != time for path, time in self._files.items()):
            return True
        times = {folder: _time(folder) for folder in self._folders}
        if times == self._folders:
            return False
        # a folder's time also changes when byte code is written for the first time
        if _packages(times) != self._packages:
            return True
        self._folders = times
        return False


def _packages(folders: dict[str, int]) -> set[tuple[str, int]]:
    found = set()
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as entries:
            found |= {
                (entry.path, entry.stat().st_mtime_ns)
                for entry in entries
                if entry.name.endswith(INFO)
            }
    return found


def _time(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
