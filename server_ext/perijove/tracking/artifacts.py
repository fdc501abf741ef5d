"""Artifacts: in the embedded server's folder, or through any server's API."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

import httpx

from perijove.abc.artifacts import Artifacts, OpenFile
from perijove.errors import InvalidInput, NotFound
from perijove.models.runs import Artifact, ArtifactPage
from perijove.tracking.connection import Connection

CHUNK = 1 << 20
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""A pipe that somebody put there does not make us wait."""


class RestArtifacts(Artifacts):
    """Through the server, whichever storage it has."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last: tuple[tuple[str, str], dict[str, int | None]] | None = None

    async def list(
        self, run_id: str, root: str, path: str, page: str | None, limit: int
    ) -> ArtifactPage:
        _parts(path)
        # MLflow has no pages, and takes seconds for many files: the next page is of what it told
        known, folder = self._last, (run_id, path)
        if page is None or known is None or known[0] != folder:
            known = folder, await self._sizes(run_id, path)
        keys, further = _page(sorted(known[1]), page, limit)
        self._last = known if further else None
        return ArtifactPage(
            path=path, entries=[_entry(path, key, known[1][key]) for key in keys], next=further
        )

    async def _sizes(self, run_id: str, path: str) -> dict[str, int | None]:
        """The bytes of a folder's entries, by their keys; folders have none."""
        try:
            found = await self._connection.get(
                "artifacts/list", {"run_id": run_id} | ({"path": path} if path else {})
            )
        except InvalidInput as error:
            raise _refused(error, run_id, path) from None
        sizes = {}
        for item in found.get("files", []):
            is_dir = bool(item.get("is_dir"))
            key = _key(PurePosixPath(item["path"]).name, is_dir)
            sizes[key] = None if is_dir else int(item.get("file_size") or 0)
        return sizes

    async def open(
        self, run_id: str, root: str, path: str, start: int = 0, end: int | None = None
    ) -> OpenFile:
        parts = _parts(path)
        if not parts:
            raise _nothing(path)
        client = self._connection.http
        location = urlsplit(root)
        if location.scheme == "mlflow-artifacts" and not location.netloc:
            below = f"{unquote(location.path).strip('/')}/{path}"
            url, query = f"/api/2.0/mlflow-artifacts/artifacts/{quote(below)}", dict[str, str]()
        else:
            url, query = "/get-artifact", {"run_uuid": run_id, "path": path}
        try:
            answer = await client.send(client.build_request("GET", url, params=query), stream=True)
        except httpx.HTTPError as error:
            raise self._connection.unreachable(error) from None
        if answer.status_code != 200:
            await answer.aread()
            await answer.aclose()
            if answer.status_code in (404, 500):  # MLflow's file repositories say 500
                raise _nothing(path)
            raise self._connection.refusal(answer, url)
        found = answer.headers.get("content-length")
        size = int(found) if found and "content-encoding" not in answer.headers else None
        stop = size if end is None else end if size is None else min(end, size)
        length = None if stop is None else max(0, stop - start)
        return OpenFile(parts[-1], size, start, length, _cut(answer, start, stop))

    async def local(self, run_id: str, root: str, path: str) -> Path | None:
        return None


class FolderArtifacts(RestArtifacts):
    """From the folder that the embedded server keeps artifacts in; others through the server."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        super().__init__(connection)
        self._folder = folder

    async def list(
        self, run_id: str, root: str, path: str, page: str | None, limit: int
    ) -> ArtifactPage:
        if (base := self._base(root)) is None:
            return await super().list(run_id, root, path, page, limit)
        return await asyncio.to_thread(_listed, self._folder, base, path, page, limit)

    async def open(
        self, run_id: str, root: str, path: str, start: int = 0, end: int | None = None
    ) -> OpenFile:
        if (base := self._base(root)) is None:
            return await super().open(run_id, root, path, start, end)
        descriptor = await asyncio.to_thread(_opened, self._folder, [*base, *_parts(path)], path)
        size = os.fstat(descriptor).st_size
        stop = size if end is None else min(end, size)
        length = max(0, stop - start)
        name = PurePosixPath(path).name
        return OpenFile(name, size, start, length, _pieces(descriptor, start, length))

    async def local(self, run_id: str, root: str, path: str) -> Path | None:
        if (base := self._base(root)) is None:
            return None
        parts = [*base, *_parts(path)]
        os.close(await asyncio.to_thread(_opened, self._folder, parts, path))
        return self._folder.joinpath(*parts)

    def _base(self, root: str) -> tuple[str, ...] | None:
        location = urlsplit(root)
        if location.scheme != "mlflow-artifacts" or location.netloc:
            return None
        return _parts(unquote(location.path).strip("/"))


def _parts(path: str) -> tuple[str, ...]:
    """Raises InvalidInput: the path leaves its root."""
    if not path:
        return ()
    parts = tuple(path.split("/"))
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise InvalidInput(
            f"The path {path[:200]!r} does not stay below the run's artifacts.",
            field="path",
            remedy="Paths are relative, with forward slashes: notebook/train.ipynb.",
        )
    return parts


def _listed(
    folder: Path, base: tuple[str, ...], path: str, page: str | None, limit: int
) -> ArtifactPage:
    try:
        descriptor = _walked(folder, [*base, *_parts(path)], FOLDER)
    except FileNotFoundError:
        if path:
            raise _nothing(path) from None
        return ArtifactPage(path=path, entries=[])  # nothing was logged yet
    except OSError as error:
        raise _unreadable(path, error) from None
    try:
        with os.scandir(descriptor) as found:
            keys = sorted(_key(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found)
        keys, further = _page(keys, page, limit)
        entries = [_entry(path, key, _size(key[2:], descriptor)) for key in keys]
    finally:
        os.close(descriptor)
    return ArtifactPage(path=path, entries=entries, next=further)


def _size(name: str, folder: int) -> int | None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _key(name: str, is_dir: bool) -> str:
    """What entries are sorted by, and what the next page begins after."""
    return f"{0 if is_dir else 1}/{name}"


def _entry(path: str, key: str, size: int | None) -> Artifact:
    below = f"{path}/{key[2:]}" if path else key[2:]
    return Artifact(
        path=below.encode("utf-8", "replace").decode(), is_dir=key.startswith("0"), size=size
    )


def _page(keys: list[str], after: str | None, limit: int) -> tuple[list[str], str | None]:
    if after is not None:
        keys = [key for key in keys if key > after]
    shown = keys[:limit]
    return shown, shown[-1] if len(keys) > limit else None


def _opened(folder: Path, parts: list[str], path: str) -> int:
    try:
        descriptor = _walked(folder, parts, FILE)
    except FileNotFoundError:
        raise _nothing(path) from None
    except OSError as error:
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InvalidInput(f"{path[:200]!r} is no file.", field="path")
    return descriptor


def _walked(folder: Path, parts: list[str], last: int) -> int:
    """Open step by step, so that no link is followed on the way, whenever it was made."""
    descriptor = os.open(folder, FOLDER & ~os.O_NOFOLLOW)
    for number, part in enumerate(parts):
        try:
            below = os.open(part, last if number == len(parts) - 1 else FOLDER, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = below
    return descriptor


def _unreadable(path: str, error: OSError) -> NotFound | InvalidInput:
    if error.errno == errno.ELOOP:
        return InvalidInput(f"{path[:200]!r} is a link, and links are not followed.", field="path")
    if error.errno in (errno.ENOTDIR, errno.ENAMETOOLONG):
        return _nothing(path)
    return InvalidInput(f"{path[:200]!r} cannot be read: {error.strerror}.", field="path")


def _nothing(path: str) -> NotFound:
    return NotFound(f"The run has no artifact {path[:200]!r}.", field="path")


def _refused(error: InvalidInput, run_id: str, path: str) -> Exception:
    if error.field == "RESOURCE_DOES_NOT_EXIST":
        return NotFound(f"There is no run {run_id[:64]}.", field="run_id")
    return InvalidInput(error.message, field="path")


async def _pieces(descriptor: int, start: int, length: int) -> AsyncIterator[bytes]:
    with os.fdopen(descriptor, "rb") as stream:
        stream.seek(start)
        while length and (piece := await asyncio.to_thread(stream.read, min(CHUNK, length))):
            length -= len(piece)
            yield piece


async def _cut(answer: httpx.Response, start: int, stop: int | None) -> AsyncIterator[bytes]:
    """What is asked for of an answer; the rest is not waited for."""
    at = 0
    try:
        async for piece in answer.aiter_bytes(CHUNK):
            begin, at = at, at + len(piece)
            if wanted := piece[max(0, start - begin) : None if stop is None else stop - begin]:
                yield wanted
            if stop is not None and at >= stop:
                return
    finally:
        await answer.aclose()
