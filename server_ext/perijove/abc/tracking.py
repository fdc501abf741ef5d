"""MLflow, and work that is done away from the hub."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from pydantic import JsonValue

from perijove.models.jobs import MetricPoint
from perijove.models.logged import LoggedSpool


class Tracker(ABC):
    """Writes jobs into MLflow. Every write is idempotent, so that the outbox can replay it.

    All methods raise `TrackingUnreachable` when the server cannot be reached or answers 5xx,
    and `InvalidInput` when it refuses for good.
    """

    @property
    @abstractmethod
    def tracking_uri(self) -> str:
        """What clients use as MLFLOW_TRACKING_URI."""

    @property
    @abstractmethod
    def assigns_run_ids(self) -> bool:
        """True: `ensure_run` honours `run_id`, so a job knows its run before the server is up."""

    @abstractmethod
    async def ready(self) -> bool:
        """Does the server answer now?"""

    @abstractmethod
    async def ensure_experiment(self, name: str, chosen: str | None = None) -> str:
        """The experiment's id; created if missing, restored if it was deleted.

        A server that assigns run ids creates it under the id `chosen`, if one is given.
        """

    @abstractmethod
    async def ensure_run(
        self,
        job_id: str,
        experiment_id: str,
        *,
        run_id: str | None,
        name: str,
        start_time_ms: int,
        tags: Mapping[str, str],
    ) -> str:
        """The run of the job, created at most once (looked up by tag ``perijove.job_id`` first)."""

    @abstractmethod
    async def log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        """Write-once parameters; values are cut to MLflow's 6,000 characters."""

    @abstractmethod
    async def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags; repeats are harmless."""

    @abstractmethod
    async def send_logged(self, spool: LoggedSpool) -> None:
        """Send what user code has logged and its runner could not send."""

    @abstractmethod
    async def end_run(
        self, run_id: str, status: str, end_time_ms: int, *, unless_since_ms: int | None = None
    ) -> None:
        """Set the final status: FINISHED, FAILED or KILLED. `unless_since_ms`: what user code has
        ended as FAILED or KILLED at that time or later stays that."""

    @abstractmethod
    async def log_artifacts(self, run_id: str, files: Sequence[tuple[Path, str]]) -> None:
        """Upload (file, path below the run's artifact root) pairs."""

    @abstractmethod
    async def metrics(self, run_id: str) -> dict[str, list[MetricPoint]]:
        """The full history of every metric, in step order."""

    @abstractmethod
    async def experiments(self) -> list[tuple[str, str]]:
        """(id, name) of all active experiments."""

    @abstractmethod
    async def close(self) -> None:
        """Release connections."""


class TaskRunner(Protocol):
    """Runs short, untrusted or heavy work away from the hub: ``inspect`` and ``render``."""

    async def run(self, task: str, args: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """The task's result; raises the PerijoveError it ended with."""
