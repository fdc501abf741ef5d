"""The control database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from perijove.models.compute import StoredTarget
from perijove.models.environments import (
    StoredEnvironment,
)
from perijove.models.jobs import Job, JobState


class OutboxStep(NamedTuple):
    """A write that MLflow still has to get: ``start`` or ``finish`` of a job."""

    id: int
    job_id: str
    step: str


class JobStore(ABC):
    """The control database's jobs, attempts and outbox.

    One process writes. Every change to a job gives it the next workspace-wide ``revision``,
    in the same transaction. Methods are short and synchronous.
    """

    @abstractmethod
    def add(self, job: Job) -> bool:
        """Store a new job, together with its outbox step *start*; False: its id is known."""

    @abstractmethod
    def get(self, job_id: str) -> Job | None:
        """The job, deleted ones too."""

    @abstractmethod
    def find(self, prefix: str) -> list[Job]:
        """Up to two jobs, not deleted, whose ids start so."""

    @abstractmethod
    def update(
        self,
        job_id: str,
        *,
        expect: Collection[JobState] | None = None,
        outbox: str | None = None,
        attempt_begins: int | None = None,
        attempt_ends: int | None = None,
        attempt_undone: int | None = None,
        **changes: object,
    ) -> Job | None:
        """Change columns if the state is one of `expect`; None: it was not, nothing changed.

        `outbox` adds that step; `attempt_begins`/`attempt_ends` note the attempt, and
        `attempt_undone` forgets it, all in the same transaction.
        """

    @abstractmethod
    def page(
        self,
        *,
        states: Collection[JobState] = (),
        experiment: str | None = None,
        name: str | None = None,
        limit: int = 100,
        before: str | None = None,
    ) -> list[Job]:
        """Jobs that are not deleted, newest first; `before` is a job id to page on from."""

    @abstractmethod
    def queued(self, compute: str, limit: int, without: Collection[str] = ()) -> list[Job]:
        """Queued jobs of a target, the highest priority and then the oldest first; those in the
        environments `without` are left out."""

    @abstractmethod
    def queued_in(self, environments: Collection[str]) -> list[Job]:
        """Queued jobs in one of these environments, oldest first."""

    @abstractmethod
    def active(self) -> list[Job]:
        """Jobs that are not terminal, oldest first."""

    @abstractmethod
    def open_attempts(self) -> list[tuple[str, int]]:
        """(job id, attempt) begun and not ended."""

    @abstractmethod
    def changed_since(self, revision: int, limit: int) -> list[Job]:
        """Jobs with a higher revision, lowest first, deleted ones too."""

    @abstractmethod
    def revision(self) -> int:
        """The highest revision given out."""

    @abstractmethod
    def counts(self) -> dict[JobState, int]:
        """Jobs that are not deleted, by state."""

    @abstractmethod
    def queued_counts(self) -> dict[str, int]:
        """Queued jobs, by compute target."""

    @abstractmethod
    def ended_before(self, moment: datetime) -> list[Job]:
        """Terminal jobs that are not deleted and ended before."""

    @abstractmethod
    def outbox(self, skip: Collection[str] = (), limit: int = 16) -> list[OutboxStep]:
        """The first pending step of each job not in `skip`, oldest first."""

    @abstractmethod
    def outbox_done(self, step: OutboxStep) -> None:
        """The step is in MLflow: forget it."""

    @abstractmethod
    def outbox_size(self) -> int:
        """Ended jobs that still have a step pending."""

    @abstractmethod
    def close(self) -> None:
        """Release the database."""


class TargetStore(ABC):
    """The created compute targets of a workspace."""

    @abstractmethod
    def add(self, target: StoredTarget) -> bool:
        """Keep a new one; False: there is one of this name, in whatever case."""

    @abstractmethod
    def all(self) -> list[StoredTarget]:
        """All, by name."""

    @abstractmethod
    def update(self, name: str, **changes: object) -> StoredTarget | None:
        """Change some fields; None: there is none of this name."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Forget it."""


class EnvironmentStore(ABC):
    """The versions of a workspace's built environments, deleted ones too."""

    @abstractmethod
    def add(self, environment: StoredEnvironment) -> bool:
        """Keep a new version; False: there is one of this name and number."""

    @abstractmethod
    def all(self) -> list[StoredEnvironment]:
        """All, by name and version."""

    @abstractmethod
    def update(self, name: str, version: int, **changes: object) -> StoredEnvironment | None:
        """Change some fields; None: there is no such version."""
