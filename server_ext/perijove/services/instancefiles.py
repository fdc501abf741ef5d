"""The files of compute targets."""

from __future__ import annotations

from dataclasses import dataclass

from perijove.abc import InstanceFiles
from perijove.errors import Conflict, InvalidInput
from perijove.models.files import FILE_BYTES, FileInfo, FileType, FolderContent
from perijove.services.compute import ComputeService
from perijove.services.targetinfo import must_run


@dataclass
class FileService:
    """The verbs on files; all raise NotFound when there is no such target, Conflict when it has
    no files to show or is off.
    """

    compute: ComputeService

    async def show(self, name: str, path: str) -> FolderContent:
        """A file, or a folder with what is in it."""
        files = self._files(name)
        found = await files.stat(path)
        entries = await files.entries(path) if found.type is FileType.FOLDER else None
        return FolderContent(**found.model_dump(), entries=entries)

    async def read(self, name: str, path: str) -> bytes:
        """A file's content."""
        return await self._files(name).read(path)

    async def write(self, name: str, path: str, data: bytes) -> FileInfo:
        """Make or replace a file."""
        if len(data) > FILE_BYTES:
            raise InvalidInput(f"A file must have at most {FILE_BYTES >> 20} MiB.", field="body")
        return await self._files(name).write(path, data)

    async def mkdir(self, name: str, path: str) -> FileInfo:
        """Make a folder."""
        return await self._files(name).mkdir(path)

    async def rename(self, name: str, path: str, to: str) -> FileInfo:
        """Give it another name or place."""
        return await self._files(name).rename(path, to)

    async def delete(self, name: str, path: str) -> None:
        """Remove a file or an empty folder."""
        await self._files(name).delete(path)

    def _files(self, name: str) -> InstanceFiles:
        target = self.compute.get(name)
        files = self.compute.jobs.supervisor.targets[target.name].files
        if files is None:
            raise Conflict(f"{target.name} has no files of its own to show.", field="name")
        must_run(target)
        return files
