"""Kernels and files of an instance, as the hub sees them: its agent does what is asked for."""

from __future__ import annotations

import base64
from collections.abc import Awaitable
from typing import Protocol

from pydantic import JsonValue

from perijove.compute.instance.link import CALL
from perijove.compute.instance.machine import Machine
from perijove.models.environments import EnvironmentContent, EnvironmentSummary
from perijove.models.files import FileInfo
from perijove.models.kernels import PORTS, Connection, KernelInfo, KernelRequest

BUILD = 3600.0
"""Seconds that the build of an environment may take."""


class Call(Protocol):
    """See `AgentLink.call`."""

    def __call__(
        self, verb: str, patience: float = CALL, **args: JsonValue
    ) -> Awaitable[JsonValue]: ...


class AgentKernels:
    """See `KernelHost`."""

    def __init__(self, call: Call, machine: Machine) -> None:
        self._call = call
        self._machine = machine

    async def start(self, request: KernelRequest) -> KernelInfo:
        """See `KernelHost`."""
        asked = request.model_dump(mode="json", exclude_none=True)
        found = await self._call("kernels.start", request=asked)
        return KernelInfo.model_validate(found)

    async def signal(self, kernel_id: str, signum: int) -> None:
        """See `KernelHost`."""
        await self._call("kernels.signal", kernel_id=kernel_id, signum=signum)

    async def end(self, kernel_id: str) -> None:
        """See `KernelHost`."""
        await self._call("kernels.end", kernel_id=kernel_id)

    async def build(self, content: EnvironmentContent) -> str:
        """See `KernelHost`."""
        asked = content.model_dump(mode="json")
        return str(await self._call("kernels.build", patience=BUILD, content=asked))

    async def environments(self) -> list[EnvironmentSummary]:
        """See `KernelHost`."""
        found = await self._call("kernels.environments")
        assert isinstance(found, list)
        return [EnvironmentSummary.model_validate(item) for item in found]

    async def list(self) -> list[KernelInfo]:
        """See `KernelHost`."""
        found = await self._call("kernels.list")
        assert isinstance(found, list)
        return [KernelInfo.model_validate(item) for item in found]

    async def look(self, kernel_id: str) -> KernelInfo:
        """See `KernelHost`."""
        return KernelInfo.model_validate(await self._call("kernels.look", kernel_id=kernel_id))

    async def reach(self, info: KernelInfo, before: Connection | None = None) -> Connection:
        """See `KernelHost`."""
        found = info.connection
        changes: dict[str, object] = {}
        for name in PORTS:
            wanted = getattr(before, name) if before is not None else None
            changes["ip"], changes[name] = await self._machine.reach(
                found.ip, getattr(found, name), wanted
            )
        return found.model_copy(update=changes)


class AgentFiles:
    """See `InstanceFiles`; content goes as base64."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def stat(self, path: str) -> FileInfo:
        """See `InstanceFiles`."""
        return FileInfo.model_validate(await self._call("files.stat", path=path))

    async def entries(self, path: str) -> list[FileInfo]:
        """See `InstanceFiles`."""
        found = await self._call("files.entries", path=path)
        assert isinstance(found, list)
        return [FileInfo.model_validate(item) for item in found]

    async def read(self, path: str) -> bytes:
        """See `InstanceFiles`."""
        return base64.b64decode(str(await self._call("files.read", path=path)))

    async def write(self, path: str, data: bytes) -> FileInfo:
        """See `InstanceFiles`."""
        text = base64.b64encode(data).decode()
        return FileInfo.model_validate(await self._call("files.write", path=path, data=text))

    async def mkdir(self, path: str) -> FileInfo:
        """See `InstanceFiles`."""
        return FileInfo.model_validate(await self._call("files.mkdir", path=path))

    async def rename(self, path: str, to: str) -> FileInfo:
        """See `InstanceFiles`."""
        return FileInfo.model_validate(await self._call("files.rename", path=path, to=to))

    async def delete(self, path: str) -> None:
        """See `InstanceFiles`."""
        await self._call("files.delete", path=path)
