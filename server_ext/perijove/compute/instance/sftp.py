"""The files of a machine over SSH, below its user's home folder: SFTP."""

from __future__ import annotations

import posixpath
from contextlib import suppress

from perijove.compute.ssh.connection import SshHost
from perijove.errors import Conflict, InvalidInput, NotFound
from perijove.models.files import FILE_BYTES, FileInfo, FileType
from perijove.models.names import check_relative_path
from perijove.models.ssh import RemoteFile


class SshFiles:
    """See `InstanceFiles`."""

    def __init__(self, host: SshHost) -> None:
        self._files = host.files()

    async def stat(self, path: str) -> FileInfo:
        """See `InstanceFiles`."""
        return _info(await self._files.stat(await self._at(path)), path)

    async def entries(self, path: str) -> list[FileInfo]:
        """See `InstanceFiles`."""
        found = await self._files.list(await self._at(path))
        return [
            _info(entry, posixpath.join(path, entry.name))
            for entry in sorted(found, key=lambda entry: entry.name)
            if entry.kind != "other"
        ]

    async def read(self, path: str) -> bytes:
        """See `InstanceFiles`."""
        data = await self._files.read(await self._at(path), limit=FILE_BYTES + 1)
        if len(data) > FILE_BYTES:
            raise InvalidInput(
                f"{path} is larger than {FILE_BYTES >> 20} MiB.",
                field="path",
                remedy="Copy it with scp or rsync.",
            )
        return data

    async def write(self, path: str, data: bytes) -> FileInfo:
        """See `InstanceFiles`."""
        at = await self._at(path)
        mode = 0o644
        with suppress(NotFound):
            found = await self._files.stat(at)
            if found.kind != "file":
                raise Conflict(f"{path[:200]!r} is refused: it is a folder.", field="path")
            mode = found.mode
        await self._files.write(at, data, mode)
        return await self.stat(path)

    async def mkdir(self, path: str) -> FileInfo:
        """See `InstanceFiles`."""
        at = await self._at(path)
        try:
            await self._files.stat(at)
        except NotFound:
            await self._files.mkdir(at)
            return await self.stat(path)
        raise Conflict(f"{path[:200]!r} is refused: file exists.", field="path")

    async def rename(self, path: str, to: str) -> FileInfo:
        """See `InstanceFiles`."""
        await self._files.rename(await self._entry(path), await self._entry(to))
        return await self.stat(to)

    async def delete(self, path: str) -> None:
        """See `InstanceFiles`."""
        at = await self._entry(path)
        is_folder = not await self._files.is_link(at) and (
            (await self._files.stat(at)).kind == "folder"
        )
        if is_folder and await self._files.list(at):
            raise Conflict(f"{path[:200]!r} is refused: directory not empty.", field="path")
        await self._files.delete(at)

    async def _at(self, path: str) -> str:
        """Where the path leads on the host, links followed; not out of the home folder."""
        home, real = await self._files.real("."), await self._files.real(_checked(path))
        if real != home and not real.startswith(f"{home}/"):
            raise InvalidInput(f"{path[:200]!r} leads out of the home folder.", field="path")
        return posixpath.relpath(real, home)

    async def _entry(self, path: str) -> str:
        """The entry itself: a link, not what it leads to."""
        folder, name = posixpath.split(_checked(path))
        if name == ".":
            raise InvalidInput("The home folder itself must stay as it is.", field="path")
        return posixpath.join(await self._at(folder), name)


def _checked(path: str) -> str:
    try:
        return check_relative_path(path) if path else "."
    except ValueError as error:
        raise InvalidInput(f"{path[:200]!r}: {error}.", field="path") from None


def _info(found: RemoteFile, path: str) -> FileInfo:
    folder = found.kind == "folder"
    return FileInfo(
        path=path,
        type=FileType.FOLDER if folder else FileType.FILE,
        size=None if folder else found.size,
        modified_at=found.modified,
        writable=found.writable,
    )
