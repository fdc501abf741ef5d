"""The files of the machine this runs on, below one folder."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from perijove.errors import Conflict, InvalidInput, NotFound
from perijove.models.files import FILE_BYTES, FileInfo, FileType
from perijove.models.names import check_relative_path


class LocalFiles:
    """See `InstanceFiles`.

    Parameters
    ----------
    root: the folder that paths are relative to, and that nothing leads out of.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    async def stat(self, path: str) -> FileInfo:
        return await asyncio.to_thread(self._stat, path)

    async def entries(self, path: str) -> list[FileInfo]:
        return await asyncio.to_thread(self._entries, path)

    async def read(self, path: str) -> bytes:
        return await asyncio.to_thread(self._read, path)

    async def write(self, path: str, data: bytes) -> FileInfo:
        return await asyncio.to_thread(self._write, path, data)

    async def mkdir(self, path: str) -> FileInfo:
        return await asyncio.to_thread(self._mkdir, path)

    async def rename(self, path: str, to: str) -> FileInfo:
        return await asyncio.to_thread(self._rename, path, to)

    async def delete(self, path: str) -> None:
        await asyncio.to_thread(self._delete, path)

    # in a thread: a file system may be slow

    def _stat(self, path: str) -> FileInfo:
        with _said(path):
            return self._info(self._at(path))

    def _entries(self, path: str) -> list[FileInfo]:
        with _said(path):
            found = []
            for entry in sorted(self._at(path).iterdir()):
                # what goes while we look, or leads nowhere or out of here, is not shown
                with suppress(OSError, InvalidInput):
                    relative = str(entry.relative_to(self._root))
                    found.append(self._info(self._at(relative), relative))
            return found

    def _read(self, path: str) -> bytes:
        with _said(path), self._at(path).open("rb") as file:
            data = file.read(FILE_BYTES + 1)
        if len(data) > FILE_BYTES:
            raise InvalidInput(
                f"{path} is larger than {FILE_BYTES >> 20} MiB.",
                field="path",
                remedy="Copy it with scp or rsync.",
            )
        return data

    def _write(self, path: str, data: bytes) -> FileInfo:
        with _said(path):
            target = self._at(path)
            if target.is_dir():
                raise IsADirectoryError(21, "it is a folder")
            mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
            descriptor, partial = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
            try:
                with open(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.chmod(partial, mode)
                os.replace(partial, target)
            except BaseException:
                Path(partial).unlink(missing_ok=True)
                raise
            return self._info(target, path)

    def _mkdir(self, path: str) -> FileInfo:
        with _said(path):
            target = self._at(path)
            target.mkdir()
            return self._info(target, path)

    def _rename(self, path: str, to: str) -> FileInfo:
        with _said(path):
            source, target = self._entry(path), self._entry(to)
            if os.path.lexists(target):
                raise FileExistsError(17, f"{to} exists")
            source.rename(target)
            return self._info(target, to)

    def _delete(self, path: str) -> None:
        with _said(path):
            target = self._entry(path)
            if target.is_dir() and not target.is_symlink():
                target.rmdir()
            else:
                target.unlink()

    def _at(self, path: str) -> Path:
        """Where the path leads, links followed."""
        found = (self._root / _checked(path)).resolve()
        if not found.is_relative_to(self._root):
            raise InvalidInput(
                f"{path[:200]!r} leads out of the home folder {self._root}.", field="path"
            )
        return found

    def _entry(self, path: str) -> Path:
        """The entry itself: a link, not what it leads to."""
        folder, _, name = _checked(path).rpartition("/")
        if name == ".":
            raise InvalidInput("The home folder itself must stay as it is.", field="path")
        return self._at(folder) / name

    def _info(self, found: Path, path: str | None = None) -> FileInfo:
        status = found.stat()
        relative = str(found.relative_to(self._root)) if path is None else path
        folder = found.is_dir()
        return FileInfo(
            path="" if relative == "." else relative,
            type=FileType.FOLDER if folder else FileType.FILE,
            size=None if folder else status.st_size,
            modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
            writable=os.access(found, os.W_OK),
        )


def _checked(path: str) -> str:
    try:
        return check_relative_path(path) if path else "."
    except ValueError as error:
        raise InvalidInput(f"{path[:200]!r}: {error}.", field="path") from None


@contextmanager
def _said(path: str) -> Iterator[None]:
    """The file system's refusals as ours."""
    try:
        yield
    except OSError as error:
        _refuse(path, error)


def _refuse(path: str, error: OSError) -> NoReturn:
    if isinstance(error, FileNotFoundError):
        raise NotFound(f"There is no {path[:200]!r}.", field="path") from None
    reason = (error.strerror or str(error)).lower()
    raise Conflict(f"{path[:200]!r} is refused: {reason}.", field="path") from None


def _umask() -> int:
    # reading it without setting it: other threads make files too
    with suppress(OSError, ValueError, IndexError):
        text = Path("/proc/self/status").read_text()
        return int(text.partition("Umask:")[2].split()[0], 8)
    return 0o022
