"""What a model registry does for the services, whoever keeps it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from perijove.models.registry import ModelVersion, RegisteredModel
from perijove.models.runs import Artifact, Lineage


@dataclass(frozen=True)
class Place:
    """Where a version's files are, and what they came from."""

    source: str
    run_id: str | None = None
    model_id: str | None = None


class ModelRegistry(ABC):
    """MLflow's registered models.

    All methods raise `NotFound` when there is no such model, version, alias, run or file,
    `InvalidInput` when MLflow refuses for good, and `TrackingUnreachable` when it cannot be
    reached. None of them looks at what was there before: who needs that holds a lock.
    """

    @abstractmethod
    async def models(self, filter: str = "") -> list[RegisteredModel]:
        """All models that the filter is true of, those changed last first."""

    @abstractmethod
    async def model(self, name: str) -> RegisteredModel:
        """A model."""

    @abstractmethod
    async def versions(self, name: str) -> list[ModelVersion]:
        """Its versions, newest first, with what their runs measured."""

    @abstractmethod
    async def version(self, name: str, version: str) -> ModelVersion:
        """A version, with what its run measured."""

    @abstractmethod
    async def lineage(self, version: ModelVersion) -> Lineage:
        """Datasets, notebook and run that it came from."""

    # writing

    @abstractmethod
    async def create(self, name: str) -> bool:
        """Make a model; False: there is one of that name."""

    @abstractmethod
    async def create_version(
        self, name: str, place: Place, description: str | None, tags: Mapping[str, str]
    ) -> ModelVersion:
        """Register what is at a place."""

    @abstractmethod
    async def registered(self, name: str, request: str) -> ModelVersion | None:
        """The version of the model, if there is one, whose `REQUEST_TAG` says this."""

    @abstractmethod
    async def change(
        self,
        name: str,
        version: str | None,
        description: str | None = None,
        tags: Mapping[str, str | None] | None = None,
    ) -> None:
        """Describe and tag a version, or with None the model. A tag that is None is removed."""

    @abstractmethod
    async def rename(self, name: str, new: str) -> None:
        """Give a model another name. Raises `Conflict` if that is taken."""

    @abstractmethod
    async def set_alias(self, name: str, alias: str, version: str) -> None:
        """Point an alias at a version."""

    @abstractmethod
    async def delete_alias(self, name: str, alias: str) -> None:
        """Remove an alias."""

    @abstractmethod
    async def delete(self, name: str, version: str | None) -> None:
        """Delete a version, or with None the model and all of its versions, for good."""

    # files

    @abstractmethod
    async def place_of_run(self, run_id: str, path: str) -> Place:
        """The place of what a run has logged under a path: artifacts, or a logged model."""

    @abstractmethod
    async def place_of_model(self, model_id: str) -> Place:
        """The place of a logged model."""

    @abstractmethod
    async def store(self, name: str, files: Sequence[tuple[Path, str]]) -> Place:
        """Keep files from outside as a logged model; (file, path in the model) pairs."""

    @abstractmethod
    async def location(self, version: ModelVersion) -> str:
        """Where the version's files are, as a URI."""

    @abstractmethod
    async def entries(self, location: str, path: str = "") -> list[Artifact]:
        """A folder's entries, sorted; paths are relative to the location. Links are left out."""

    @abstractmethod
    def open(self, location: str, path: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The bytes of a file."""
