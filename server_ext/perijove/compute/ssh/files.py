"""Files on a host, through SFTP.

Paths are absolute, or relative to the home folder. What is written appears whole or not at all.
"""

from __future__ import annotations

import asyncio
import posixpath
import secrets
import stat
import tarfile
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import asyncssh

from perijove.compute.ssh.connection import SshHost
from perijove.errors import Conflict, InvalidInput, NotFound, PerijoveError, Unreachable
from perijove.models.ssh import RemoteFile

TREE_TIMEOUT = 3600.0
"""Seconds for copying a folder."""
FULL = 1 << 16
"""Bytes: a disk with less than this to give is full."""
LOST = (asyncssh.SFTPNoConnection, asyncssh.SFTPConnectionLost)
MISSING = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)
# one line, which every shell passes on as it is
_UNPACK = (
    'umask 077; mkdir -p "$(dirname "$1")" "$2" && tar -xf - -C "$2" && mv -T "$2" "$1";'
    ' code=$?; rm -rf "$2"; exit $code'
)


class Files:
    """The files of a host.

    Every method raises

    NotFound: there is no such file or folder;
    Conflict: it may not be touched, something else is in the way, or the disk is full;
    InvalidInput: the host offers no SFTP, or the path cannot be one;
    Unreachable: the host is away, or goes away meanwhile.
    """

    def __init__(self, host: SshHost) -> None:
        self._host = host

    async def stat(self, path: str) -> RemoteFile:
        """What is there."""
        async with self._sftp(path) as sftp:
            return _describe(path, await sftp.stat(path))

    async def real(self, path: str) -> str:
        """Where it leads, links followed; its last part need not be there."""
        async with self._sftp(path) as sftp:
            return str(await sftp.realpath(path))

    async def is_link(self, path: str) -> bool:
        """Is it a symbolic link, wherever that leads?"""
        async with self._sftp(path) as sftp:
            return await sftp.islink(path)

    async def list(self, path: str) -> list[RemoteFile]:
        """What is in a folder, by name."""
        async with self._sftp(path) as sftp:
            found = []
            for entry in await sftp.readdir(path):
                name = str(entry.filename)
                if name in (".", ".."):
                    continue
                inner, attributes = posixpath.join(path, name), entry.attrs
                if attributes.type == asyncssh.FILEXFER_TYPE_SYMLINK:
                    with suppress(asyncssh.SFTPError):  # a link that leads nowhere
                        attributes = await sftp.stat(inner)
                found.append(_describe(inner, attributes))
            return sorted(found, key=lambda file: file.name)

    async def read(self, path: str, offset: int = 0, limit: int | None = None) -> bytes:
        """A file's bytes from `offset` on, at most `limit` of them."""
        async with self._sftp(path) as sftp, sftp.open(path, "rb") as file:
            data = await file.read(-1 if limit is None else limit, offset)
            assert isinstance(data, bytes)
            return data

    async def write(self, path: str, data: bytes, mode: int = 0o600) -> None:
        """Make or replace a file."""
        async with self._replaced(path, mode) as (sftp, partial):
            async with sftp.open(partial, "wb") as file:
                await file.write(data)

    async def put_file(self, local: Path, path: str, mode: int | None = None) -> None:
        """Copy a file to the host, by default with the mode that it has here."""
        if mode is None:
            mode = stat.S_IMODE(local.stat().st_mode)
        async with self._replaced(path, mode) as (sftp, partial):
            await sftp.put(local, partial)

    async def get_file(self, path: str, local: Path) -> None:
        """Copy a file from the host."""
        partial = local.with_name(f".{local.name}.{secrets.token_hex(4)}")
        try:
            async with self._sftp(path) as sftp:
                await sftp.get(path, partial)
            partial.replace(local)
        finally:
            partial.unlink(missing_ok=True)

    async def put_tree(self, local: Path, path: str) -> None:
        """Copy a folder to the host, where nothing of this name may be yet."""
        if await self._exists(path):
            raise Conflict(f"{path} is on {self._host} already.", field="path")
        partial = _partial(path)
        with tempfile.TemporaryFile() as packed:

            def pack() -> None:
                with tarfile.open(fileobj=packed, mode="w") as tar:
                    tar.add(local, arcname=".")
                packed.seek(0)

            await asyncio.to_thread(pack)
            done = await self._host.run(
                ["/bin/sh", "-c", _UNPACK, "sh", path, partial], input=packed, timeout=TREE_TIMEOUT
            )
        if done.code:
            raise await self._failure(path, done.err.strip() or "tar failed")

    async def mkdir(self, path: str) -> None:
        """Make a folder, and those above it; it may be there."""
        async with self._sftp(path) as sftp:
            await sftp.makedirs(path, exist_ok=True)

    async def rename(self, path: str, to: str) -> None:
        """Give it another name, which must be free."""
        if await self._exists(to):
            raise Conflict(f"{to} is on {self._host} already.", field="path")
        async with self._sftp(path) as sftp:
            await sftp.rename(path, to)

    async def delete(self, path: str) -> None:
        """Remove a file, a link, or a folder with all that is in it."""
        async with self._sftp(path) as sftp:
            found = await sftp.lstat(path)
            if found.type == asyncssh.FILEXFER_TYPE_DIRECTORY:
                await sftp.rmtree(path)
            else:
                await sftp.remove(path)

    async def _exists(self, path: str) -> bool:
        async with self._sftp(path) as sftp:
            with suppress(*MISSING):
                await sftp.lstat(path)
                return True
        return False

    @asynccontextmanager
    async def _replaced(
        self, path: str, mode: int
    ) -> AsyncIterator[tuple[asyncssh.SFTPClient, str]]:
        partial = _partial(path)
        async with self._sftp(path) as sftp:
            try:
                if folder := posixpath.dirname(path):
                    await sftp.makedirs(folder, exist_ok=True)
                # nobody else reads it meanwhile
                async with sftp.open(
                    partial, "wb", attrs=asyncssh.SFTPAttrs(permissions=mode & 0o700)
                ):
                    pass
                yield sftp, partial
                await sftp.chmod(partial, mode)
                await sftp.posix_rename(partial, path)
            except BaseException as error:
                # asked before the disk is free again
                failed = isinstance(error, asyncssh.SFTPFailure) and await self._failure(
                    path, error.reason
                )
                with suppress(asyncssh.SFTPError, OSError):
                    await sftp.remove(partial)
                if failed:
                    raise failed from error
                raise

    @asynccontextmanager
    async def _sftp(self, path: str) -> AsyncIterator[asyncssh.SFTPClient]:
        if not path or "\0" in path:
            raise InvalidInput("A path must have a name, and no NUL in it.", field="path")
        sftp = await self._host.sftp()
        try:
            async with self._host.through():
                yield sftp
        except LOST as error:
            raise Unreachable(f"The way to {self._host} was cut.", field="host") from error
        except MISSING as error:
            raise NotFound(f"There is no {path} on {self._host}.", field="path") from error
        except asyncssh.SFTPPermissionDenied as error:
            raise Conflict(
                f"{path} on {self._host} is not this user's to touch.",
                field="path",
                remedy="Choose another place, or have its owner allow it.",
            ) from error
        except asyncssh.SFTPError as error:
            raise await self._failure(path, error.reason) from error

    async def _failure(self, path: str, why: str) -> PerijoveError:
        """SFTP calls most errors just *failure*: is the disk full?"""
        if await self._is_full(path) or "No space left" in why or "Wrote only" in why:
            return Conflict(
                f"The disk of {self._host} that holds {path} is full.",
                field="path",
                remedy="Free some space there.",
            )
        return Conflict(f"{path} on {self._host}: {why.splitlines()[0]}.", field="path")

    async def _is_full(self, path: str) -> bool:
        with suppress(asyncssh.Error, OSError, PerijoveError):
            sftp = await self._host.sftp()
            while path and not await sftp.exists(path):
                path = posixpath.dirname(path)
            found = await sftp.statvfs(path or ".")
            return found.bavail * found.frsize < FULL or found.favail == 0 < found.files
        return False


def _partial(path: str) -> str:
    folder, name = posixpath.split(path.rstrip("/"))
    return posixpath.join(folder, f".{name}.{secrets.token_hex(4)}")


def _describe(path: str, found: asyncssh.SFTPAttrs) -> RemoteFile:
    kinds = {
        asyncssh.FILEXFER_TYPE_REGULAR: "file",
        asyncssh.FILEXFER_TYPE_DIRECTORY: "folder",
    }
    return RemoteFile.model_validate(
        {
            "name": posixpath.basename(path.rstrip("/")),
            "path": path,
            "kind": kinds.get(found.type, "other"),
            "size": found.size or 0,
            "modified": datetime.fromtimestamp(found.mtime or 0, UTC),
            "mode": stat.S_IMODE(found.permissions or 0),
        }
    )
