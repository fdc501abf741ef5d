"""The files of runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from perijove.models.runs import ArtifactPage


@dataclass
class OpenFile:
    """Bytes on their way: `length` of them, from `start` on, of `size` in all."""

    name: str
    size: int | None
    start: int
    length: int | None
    content: AsyncIterator[bytes]


class Artifacts(ABC):
    """Reads below the artifact root of a run. Links are never followed.

    All methods raise `NotFound` for what is not there, `InvalidInput` for a path that leaves the
    root or is a link, and `TrackingUnreachable` when the server cannot be reached.
    """

    @abstractmethod
    async def list(
        self, run_id: str, root: str, path: str, page: str | None, limit: int
    ) -> ArtifactPage:
        """A folder's entries, folders first, then by name; `root` is the run's artifact URI."""

    @abstractmethod
    async def open(
        self, run_id: str, root: str, path: str, start: int = 0, end: int | None = None
    ) -> OpenFile:
        """A file's bytes from `start` up to and without `end`."""

    @abstractmethod
    async def local(self, run_id: str, root: str, path: str) -> Path | None:
        """Where the file is on this machine; None: it is elsewhere."""
