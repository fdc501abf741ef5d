"""The contracts between services and the parts that do the work. No implementation here.

Every implementation of a contract passes the same suite in ``perijove.testing``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from perijove.models.attempts import AttemptSpec
from perijove.models.events import SpoolEvent
from perijove.models.jobs import MetricPoint
from perijove.models.workspaces import TargetSummary


class AttemptSink(Protocol):
    """Where a compute target delivers what happens to its attempts.

    Delivery is at least once and in order; the sink drops numbers it already has.
    """

    async def events(self, job_id: str, attempt: int, events: Sequence[SpoolEvent]) -> None:
        """New lines of the attempt's spool."""

    async def ended(self, job_id: str, attempt: int) -> None:
        """The attempt's processes are gone and its spool is delivered completely."""


class ComputeTarget(ABC):
    """A place where attempts run.

    Guarantees every target gives:

    1. ``launch`` is idempotent per (job, attempt): two calls make one runner at most.
    2. After ``launch`` or ``adopt`` returned, ``sink.ended`` is called exactly when no process
       of the attempt is left, even if the runner died without a word.
    3. An attempt whose runner died without a verdict gets one (*lost*) before ``ended``.
    4. ``cancel`` returns when no process of the attempt is left; calling it for an attempt that
       is unknown or over does nothing.
    """

    name: str
    kind: str

    @abstractmethod
    async def start(self, sink: AttemptSink) -> None:
        """Make ready; called once, before anything else."""

    @abstractmethod
    async def close(self) -> None:
        """Let go without touching running attempts."""

    @property
    @abstractmethod
    def slots(self) -> int:
        """Attempts that may run at once."""

    @abstractmethod
    async def launch(self, spec: AttemptSpec) -> None:
        """Start the attempt's runner."""

    @abstractmethod
    async def adopt(self, spec: AttemptSpec) -> bool:
        """Take over an attempt launched by an earlier hub; False: it was never launched."""

    @abstractmethod
    async def cancel(self, job_id: str, attempt: int) -> None:
        """End the attempt's whole process group and wait until it is gone."""

    @abstractmethod
    def summary(self) -> TargetSummary:
        """Its state in a few figures."""


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
    async def ensure_experiment(self, name: str) -> str:
        """The experiment's id; created if missing, restored if it was deleted."""

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
    async def end_run(self, run_id: str, status: str, end_time_ms: int) -> None:
        """Set FINISHED, FAILED or KILLED and the end time."""

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


class EventLog(Protocol):
    """A job's numbered events, durable against kill -9."""

    def append(self, job_id: str, attempt: int, events: Sequence[SpoolEvent]) -> None: ...

    def read(self, job_id: str, after: int, limit: int) -> AsyncIterator[str]: ...
