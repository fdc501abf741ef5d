"""Environments: who builds them, and who knows them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from perijove.models.environments import (
    BuildResult,
    EnvironmentContent,
)


class EnvironmentBuilder(ABC):
    """Builds environments on a machine. Equal contents are one environment, built once."""

    @abstractmethod
    async def check(self, content: EnvironmentContent) -> None:
        """What can be known without building it.

        Raises
        ------
        InvalidInput: a line is no requirement, or there is no such Python; ``field`` is that of
            `EnvironmentDefinition`.
        """

    @abstractmethod
    def built(self, content: EnvironmentContent) -> BuildResult | None:
        """The environment, if its build is complete."""

    @abstractmethod
    async def build(self, content: EnvironmentContent) -> BuildResult:
        """Build it, or wait for the build that an earlier hub has begun; at once if it is built.

        Raises
        ------
        EnvironmentFailed: it cannot be built; the message says why.
        """

    @abstractmethod
    def log_file(self, digest: str) -> Path:
        """What its build has said."""

    @abstractmethod
    async def remove(self, digest: str) -> int:
        """End its build and free its disk; returns the bytes freed."""

    @abstractmethod
    def digests(self) -> list[str]:
        """All that is on the disk, complete or not."""

    @abstractmethod
    async def close(self) -> None:
        """End the builds under way; they are begun again by the next hub."""


class KernelChoice(NamedTuple):
    """What a runner is told of an environment: its kernelspec, and its Python if that is one
    that was built."""

    kernelspec: str | None
    python: str | None


class EnvironmentCatalog(Protocol):
    """What a supervisor must know of environments."""

    def unready(self) -> Mapping[str, str | None]:
        """References of environments that cannot be used → why their build failed, or None:
        they are being built."""

    def kernel(self, environment: str | None) -> KernelChoice:
        """How a job's environment reads for its runner.

        Raises
        ------
        NotFound: there is no such environment any more.
        """

    @property
    def jupyter_path(self) -> str:
        """The folder in which Jupyter finds the kernelspecs of what was built."""
