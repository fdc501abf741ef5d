"""The files of models: on the embedded server's own disk, or through MLflow's artifact proxy."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from perijove.errors import InvalidInput, NotFound
from perijove.models.runs import Artifact
from perijove.tracking.api import TIMEOUT, Api

CHUNK = 1 << 20
PROXY = "/api/2.0/mlflow-artifacts/artifacts"


class ModelFiles:
    """Reads below a location that MLflow named; a link is never followed out of it."""

    def __init__(self, api: Api, folder: Path | None) -> None:
        """`folder`: where the server keeps its artifacts, if that is on this machine."""
        self._api = api
        self._folder = folder

    async def entries(self, location: str, path: str) -> list[Artifact]:
        """A folder's entries, folders first. A location that is a file has itself as entry."""
        root = _root(location)
        if self._folder is not None:
            return await asyncio.to_thread(_listed, self._folder / root, path)
        below = "/".join(part for part in (root, path) if part)
        found = await self._api.get(PROXY, {"path": below})
        return _sorted(_entry(path, item) for item in found.get("files", []))

    @asynccontextmanager
    async def open(self, location: str, path: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes of a file, in pieces."""
        root = _root(location)
        if self._folder is not None:
            file = await asyncio.to_thread(_inside, self._folder / root, path)
            if not file.is_file():
                raise _nothing(path)
            with file.open("rb") as stream:
                yield _pieces(stream)
            return
        below = "/".join(part for part in (root, path) if part)
        async with self._api.stream(f"{PROXY}/{quote(below)}") as answer:
            yield answer.aiter_bytes(CHUNK)

    async def write(self, location: str, file: Path, path: str) -> None:
        """Store a file."""
        root = _root(location)
        if self._folder is not None:
            target = self._folder / root / path
            await asyncio.to_thread(_copy, file, target)
            return
        await self._api.send(
            "PUT",
            f"{PROXY}/{quote(f'{root}/{path}')}",
            content=_pieces(file.open("rb")),
            headers={"Content-Length": str(file.stat().st_size)},
            timeout=TIMEOUT,
        )


def _root(location: str) -> str:
    """The path that the artifact proxy knows a location by."""
    parts = urlsplit(location)
    if parts.scheme != "mlflow-artifacts" or parts.netloc:
        raise InvalidInput(
            f"These files are kept at {location[:300]}, which MLflow's server does not pass on.",
            field="source",
            remedy="mlflow.artifacts.download_artifacts reads them where that storage is known.",
        )
    path = unquote(parts.path).strip("/")
    if ".." in path.split("/"):
        raise InvalidInput(f"{location[:300]} leaves its folder.", field="source")
    return path


def _inside(root: Path, path: str) -> Path:
    """The file or folder below a root; raises NotFound if a link leads out of it."""
    try:
        real, top = (root / path).resolve(strict=True), root.resolve(strict=True)
    except (OSError, ValueError):
        raise _nothing(path) from None
    if real != top and top not in real.parents:
        raise _nothing(path)
    return real


def _listed(root: Path, path: str) -> list[Artifact]:
    folder = _inside(root, path)
    if folder.is_file():
        return []
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
                continue
            is_dir = entry.is_dir()
            size = None if is_dir else entry.stat().st_size
            name = f"{path}/{entry.name}" if path else entry.name
            found.append(Artifact(path=name, is_dir=is_dir, size=size))
    return _sorted(found)


def _entry(path: str, item: Mapping[str, Any]) -> Artifact:
    name = str(item["path"]).rpartition("/")[2]
    is_dir = bool(item.get("is_dir"))
    size = None if is_dir else int(item.get("file_size") or 0)
    return Artifact(path=f"{path}/{name}" if path else name, is_dir=is_dir, size=size)


def _sorted(entries: Any) -> list[Artifact]:
    return sorted(entries, key=lambda entry: (not entry.is_dir, entry.path))


def _copy(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name[-200:]}.part")
    with file.open("rb") as source, partial.open("wb") as copy:
        while piece := source.read(CHUNK):
            copy.write(piece)
    partial.replace(target)


async def _pieces(stream: Any) -> AsyncIterator[bytes]:
    with stream:
        while piece := await asyncio.to_thread(stream.read, CHUNK):
            yield piece


def _nothing(path: str) -> NotFound:
    return NotFound(f"The version has no file {path[:200]!r}.", field="path")
