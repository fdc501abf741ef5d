"""The contracts between services and the parts that do the work. No implementation here.

Every implementation of a contract passes the same suite in ``perijove.testing``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from pydantic import JsonValue

from perijove.models.attempts import AttemptSpec
from perijove.models.compute import ClusterDefinition, ClusterState, Resources, StoredTarget
from perijove.models.environments import BuildResult, EnvironmentContent, StoredEnvironment
from perijove.models.events import SpoolEvent
from perijove.models.jobs import Job, JobState, MetricPoint
from perijove.models.workspaces import TargetSummary


class OutboxStep(NamedTuple):
    """A write that MLflow still has to get: ``start`` or ``finish`` of a job."""

    id: int
    job_id: str
    step: str


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

    async def poke(self, job_id: str, attempt: int) -> None:
        """The attempt's runner says that there is something to read."""
        return None

    def check(self, wanted: Resources) -> None:
        """Could a job that needs this ever run here?

        Raises
        ------
        InvalidInput: no, with the field at fault.
        """
        return None


class ManagedTarget(ComputeTarget):
    """A target that users create, start, stop, scale and delete."""

    @property
    @abstractmethod
    def nodes_now(self) -> ClusterState:
        """Its nodes, as last heard."""

    @abstractmethod
    async def power(self, on: bool) -> None:
        """Bring it up, or end all of its nodes; returns when that is so.

        Raises
        ------
        Unreachable: it did not come up; the message says why.
        """

    @abstractmethod
    async def define(self, definition: ClusterDefinition) -> None:
        """Give it other limits."""

    @abstractmethod
    async def destroy(self) -> None:
        """End everything, and remove what it has kept on disk."""

    @abstractmethod
    def log_file(self) -> Path:
        """What it and its nodes have said."""


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
        **changes: object,
    ) -> Job | None:
        """Change columns if the state is one of `expect`; None: it was not, nothing changed.

        `outbox` adds that step; `attempt_begins`/`attempt_ends` note the attempt, all in the
        same transaction.
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
        """Queued jobs of a target, oldest first, those in the environments `without` left out."""

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


class TaskRunner(Protocol):
    """Runs short, untrusted or heavy work away from the hub: ``inspect`` and ``render``."""

    async def run(self, task: str, args: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """The task's result; raises the PerijoveError it ended with."""
