"""What a machine offers beside jobs: kernels and files."""

from __future__ import annotations

from typing import Protocol

from perijove.models.environments import EnvironmentContent, EnvironmentSummary
from perijove.models.files import FileInfo
from perijove.models.kernels import Connection, KernelInfo, KernelRequest


class KernelHost(Protocol):
    """A machine that has kernels.

    Guarantees every host gives:

    1. A kernel outlives the host's process, the hub and the Jupyter server; only `end` or its own
       end ends it.
    2. ``start`` is idempotent per kernel id while the kernel lives. A dead one is started again,
       with the ports and the key it had if they are still free.
    3. ``end`` returns when no process of the kernel's session is left; for an unknown or dead one
       it does nothing more than forget it.
    4. A kernel listens on loopback addresses only, or encrypts its channels.

    All methods raise `Unreachable` when the machine does not answer.
    """

    async def start(self, request: KernelRequest) -> KernelInfo:
        """The kernel of this id; raises NotFound for an environment that is not there."""

    async def signal(self, kernel_id: str, signum: int) -> None:
        """Send a signal to its process group; raises NotFound."""

    async def end(self, kernel_id: str) -> None:
        """End it with everything it started, and forget it."""

    async def build(self, content: EnvironmentContent) -> str:
        """Have an environment there, built once: its Python. Raises EnvironmentFailed."""

    async def environments(self) -> list[EnvironmentSummary]:
        """What kernels can run in there."""

    async def list(self) -> list[KernelInfo]:
        """All kernels, with CPU and memory; dead ones until they are ended."""

    async def look(self, kernel_id: str) -> KernelInfo:
        """One kernel, without CPU and memory; raises NotFound."""

    async def reach(self, info: KernelInfo, before: Connection | None = None) -> Connection:
        """The connection as the hub's machine sees it: with forwarded ports, where they are. As
        `before`, if that is given and possible, so that clients find it again."""


class InstanceFiles(Protocol):
    """The files below the home folder of a machine.

    Paths are relative to it, with forward slashes; the empty one is the folder itself. What leads
    out of it, also through a link, is refused. All methods raise `NotFound` for what is not there,
    `Conflict` where the file system refuses, and `Unreachable` when the machine does not answer.
    """

    async def stat(self, path: str) -> FileInfo:
        """What is there."""

    async def entries(self, path: str) -> list[FileInfo]:
        """What is in a folder, by name."""

    async def read(self, path: str) -> bytes:
        """A file's content, of at most `FILE_BYTES`."""

    async def write(self, path: str, data: bytes) -> FileInfo:
        """Make or replace a file, all of it or nothing."""

    async def mkdir(self, path: str) -> FileInfo:
        """Make a folder."""

    async def rename(self, path: str, to: str) -> FileInfo:
        """Give it another name or place; what is there already is not replaced."""

    async def delete(self, path: str) -> None:
        """Remove a file or an empty folder."""
