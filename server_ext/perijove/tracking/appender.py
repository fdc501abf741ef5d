"""A job's spool, as each of its processes writes to it."""

from __future__ import annotations

import os
import weakref


class Appender:
    """The spool, open for appending in this process."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None
        self._written = 0
        _appenders.add(self)

    def append(self, data: bytes) -> bool:
        """All of it, with one call, so that no other process's records come between; False: the
        disk is full, or the folder is gone."""
        try:
            if self._file is None:
                self._file = os.open(
                    self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
                )
            written = os.write(self._file, data)
        except OSError:
            return False
        self._written += written
        return written == len(data)

    def others(self) -> int:
        """Bytes in it that this process has not written."""
        try:
            return os.stat(self._path).st_size - self._written
        except OSError:
            return -self._written

    def forget(self) -> None:
        """In a forked child, which may close what it has inherited: open it again."""
        self._file = None


_appenders: weakref.WeakSet[Appender] = weakref.WeakSet()


def _forked() -> None:
    for appender in _appenders:
        appender.forget()


os.register_at_fork(after_in_child=_forked)
