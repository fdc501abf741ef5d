"""The files of models' versions: what they say, listed, shown, sent. Nothing is ever loaded."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass

from perijove.abc import TaskRunner
from perijove.abc.artifacts import OpenFile
from perijove.abc.registry import ModelRegistry
from perijove.errors import InvalidInput, NotFound
from perijove.models.names import check_relative_path
from perijove.models.registry import ModelFacts
from perijove.models.runs import Artifact, ArtifactPage, ArtifactPreview
from perijove.services.modelfacts import (
    EXAMPLE_BYTES,
    MLMODEL_BYTES,
    REQUIREMENTS_BYTES,
    example_path,
    facts_of,
    read_example,
    read_mlmodel,
    read_requirements,
)
from perijove.services.previews import how, parquet, preview

WALKED = 20_000
"""Files of a version that are counted, and that a download may have."""


@dataclass
class VersionFiles:
    """All verbs raise what `ModelRegistry` raises, too."""

    models: ModelRegistry
    tasks: TaskRunner

    async def facts(self, name: str, version: str) -> ModelFacts:
        """Its signature, input example, flavours and requirements, read as text."""
        known = await self.models.version(name, version)
        try:
            location = await self.models.location(known)
        except NotFound as error:  # what it was registered from is not there
            found = facts_of({}, [])
            found.warnings.append(f"It has no files. {error.message}")
            return found
        files = await self._walk(location)
        paths = {file.path for file in files}
        if "MLmodel" not in paths:
            found = facts_of({}, files)
            found.warnings.append(
                "It has no MLmodel, so MLflow cannot load it; its files can be downloaded."
                if files
                else "It has no files: there is nothing to load or to download."
            )
            return found
        data = await self._head(location, "MLmodel", MLMODEL_BYTES + 1)
        mlmodel, problems = await asyncio.to_thread(read_mlmodel, data)
        found = await asyncio.to_thread(facts_of, mlmodel, files)
        found.warnings = problems + found.warnings
        if (example := example_path(mlmodel)) in paths and example is not None:
            text = await self._head(location, example, EXAMPLE_BYTES + 1)
            if len(text) > EXAMPLE_BYTES:
                found.warnings.append(f"The input example is too large to show: {example}.")
            else:
                found.input_example = await asyncio.to_thread(read_example, text)
        if "requirements.txt" in paths:
            text = await self._head(location, "requirements.txt", REQUIREMENTS_BYTES)
            found.requirements = read_requirements(text)
        return found

    async def page(self, name: str, version: str, path: str = "") -> ArtifactPage:
        """One folder of its files."""
        path = checked_path(path)
        entries = await self.models.entries(await self._location(name, version), path)
        return ArtifactPage(path=path, entries=entries)

    async def preview(self, name: str, version: str, path: str) -> ArtifactPreview:
        """What can be shown of a file."""
        location = await self._location(name, version)
        entry = await self._entry(location, path)
        kind, wanted = how(entry.path)
        if kind == "parquet":
            pieces = self._pieces(location, entry.path)
            return await parquet(self.tasks, entry.path, entry.size or 0, pieces)
        head = await self._head(location, entry.path, wanted)
        return await asyncio.to_thread(preview, entry.path, entry.size or 0, head)

    async def file(self, name: str, version: str, path: str) -> OpenFile:
        """A file's bytes."""
        location = await self._location(name, version)
        entry = await self._entry(location, path)
        file = entry.path.rpartition("/")[2]
        return OpenFile(file, entry.size, 0, entry.size, self._pieces(location, entry.path))

    async def _entry(self, location: str, path: str) -> Artifact:
        path = checked_path(path)
        for entry in await self.models.entries(location, path.rpartition("/")[0]):
            if entry.path == path and not entry.is_dir:
                return entry
        raise NotFound(f"The version has no file {path[:200]!r}.", field="path")

    async def download(self, name: str, version: str) -> tuple[str, AsyncIterator[bytes]]:
        """The name of a zip of all its files, and its bytes as they are made."""
        found = await self.models.version(name, version)
        location = await self.models.location(found)
        files = await self._walk(location)
        plain = re.sub(r"[^\w.-]", "_", found.name)[:100]
        return f"{plain}-{found.version}.zip", self._zipped(location, files)

    async def _zipped(self, location: str, files: list[Artifact]) -> AsyncIterator[bytes]:
        sink = _Sink()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
            for file in files:
                info = zipfile.ZipInfo(file.path, (1980, 1, 1, 0, 0, 0))
                info.external_attr = 0o644 << 16
                with archive.open(info, "w", force_zip64=True) as target:
                    async with self.models.open(location, file.path) as pieces:
                        async for piece in pieces:
                            await asyncio.to_thread(target.write, piece)
                            yield sink.take()
        yield sink.take()

    async def _location(self, name: str, version: str) -> str:
        return await self.models.location(await self.models.version(name, version))

    async def _walk(self, location: str) -> list[Artifact]:
        """All files, in the order of their paths."""
        found: list[Artifact] = []
        folders = [""]
        while folders:
            for entry in await self.models.entries(location, folders.pop()):
                (folders.append(entry.path) if entry.is_dir else found.append(entry))
            if len(found) + len(folders) > WALKED:
                raise InvalidInput(
                    f"The version has more than {WALKED} files.",
                    field="version",
                    remedy="mlflow.artifacts.download_artifacts takes them all.",
                )
        return sorted(found, key=lambda file: file.path)

    async def _pieces(self, location: str, path: str) -> AsyncIterator[bytes]:
        async with self.models.open(location, path) as pieces:
            async for piece in pieces:
                yield piece

    async def _head(self, location: str, path: str, size: int) -> bytes:
        data = bytearray()
        if not size:
            return b""
        async with self.models.open(location, path) as pieces:
            async for piece in pieces:
                data += piece
                if len(data) >= size:
                    break
        return bytes(data[:size])


class _Sink(io.RawIOBase):
    """What the zip wrote since it was taken last."""

    def __init__(self) -> None:
        self._data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._data += piece
        return len(piece)

    def take(self) -> bytes:
        data, self._data = bytes(self._data), bytearray()
        return data


def checked_path(path: str) -> str:
    """Raises InvalidInput: the path leaves its root."""
    if not path:
        return ""
    try:
        return check_relative_path(path)
    except ValueError as error:
        raise InvalidInput(f"{path[:100]!r}: {error}.", field="path") from None
