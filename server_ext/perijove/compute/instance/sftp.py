"""The files of a machine over SSH, below its user's home folder: SFTP."""

from __future__ import annotations

import posixpath

from perijove.compute.ssh.connection import SshHost
from perijove.errors import Conflict, InvalidInput, NotFound
from perijove.models.files import FILE_BYTES, FileInfo, FileType
from perijove.models.names import check_relative_path
from perijove.models.ssh import RemoteFile


class SshFiles:
    """See `InstanceFiles`."""

    def __init__(self, host: SshHost) -> None:
        self._host = host
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
        try:
            if (await self._files.stat(at)).kind != "file":
                raise Conflict(f"{path[:200]!r} is refused: it is a folder.", field="path")
        except NotFound:
            pass
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
        await self._files.rename(await self._at(path), await self._at(to))
        return await self.stat(to)

    async def delete(self, path: str) -> None:
        """See `InstanceFiles`."""
        at = await self._at(path)
        if (await self._files.stat(at)).kind == "folder" and await self._files.list(at):
            raise Conflict(f"{path[:200]!r} is refused: directory not empty.", field="path")
        await self._files.delete(at)

    async def _at(self, path: str) -> str:
        """The path on the host, relative to the home folder; nothing leads out of that."""
        if not path:
            return "."
        try:
            checked = check_relative_path(path)
        except ValueError as error:
            raise InvalidInput(f"{path[:200]!r}: {error}.", field="path") from None
        sftp = await self._host.sftp()
        async with self._host.through():
            home = str(await sftp.realpath("."))
            real = str(await sftp.realpath(checked))
        if not real.startswith(f"{home}/"):
            raise InvalidInput(f"{path[:200]!r} leads out of the home folder.", field="path")
        return checked


def _info(found: RemoteFile, path: str) -> FileInfo:
    folder = found.kind == "folder"
    return FileInfo(
        path=path,
        type=FileType.FOLDER if folder else FileType.FILE,
        size=None if folder else found.size,
        modified_at=found.modified,
        writable=found.writable,
    )
