"""The contracts between services and the parts that do the work. No implementation here.

Every implementation of a contract passes the same suite in ``perijove.testing``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from pydantic import JsonValue

from perijove.models.agents import AgentHello, AgentReport, GateAddress
from perijove.models.attempts import AttemptSpec
from perijove.models.compute import ClusterState, Resources, StoredTarget
from perijove.models.environments import (
    BuildResult,
    EnvironmentContent,
    EnvironmentSummary,
    StoredEnvironment,
)
from perijove.models.events import SpoolEvent
from perijove.models.files import FileInfo
from perijove.models.instances import Definition
from perijove.models.jobs import Job, JobState, MetricPoint
from perijove.models.kernels import Connection, KernelInfo, KernelRequest
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

    @property
    def kernels(self) -> KernelHost | None:
        """What holds its kernels; None: it runs jobs only."""
        return None

    @property
    def files(self) -> InstanceFiles | None:
        """Its files; None: it has none to show."""
        return None

    async def poke(self, job_id: str, attempt: int) -> None:
        """The attempt's runner says that there is something to read."""
        return None

    def shell(self) -> list[str]:
        """The command that opens a shell there, to be run on the hub's machine; empty: none."""
        return []

    def check(self, wanted: Resources, timeout: float | None = None) -> None:
        """Could a job that needs this, for so many seconds, ever run here?

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
    async def define(self, definition: Definition) -> None:
        """Give it other limits."""

    @abstractmethod
    async def destroy(self, abandon: bool = False) -> None:
        """End everything, and remove what it has kept on disk.

        Raises
        ------
        Unreachable: its machine is away. With `abandon` what is there is left alone.
        """

    @abstractmethod
    def log_text(self) -> str:
        """The end of what it and its nodes have said."""

    def properties(self) -> dict[str, JsonValue]:
        """What it can say of itself now: addresses, links, how to log in."""
        return {}

    @property
    def usable(self) -> bool:
        """Can it take work, or will it soon? False: something is wrong, see its message."""
        return True

    @property
    def in_use(self) -> list[str]:
        """What keeps it from being idle, in words."""
        return []


class AgentTarget(ABC):
    """A target whose machine calls the hub."""

    @property
    @abstractmethod
    def shared(self) -> bool:
        """Is its machine the hub's own?"""

    @abstractmethod
    def link(self, hello: AgentHello) -> AsyncIterator[bytes]:
        """The commands for its agent, a JSON object a line, as long as the agent listens."""

    @abstractmethod
    def hang_up(self) -> None:
        """End the link; the agent will call again."""

    @abstractmethod
    async def report(self, report: AgentReport) -> None:
        """What its agent tells."""

    @abstractmethod
    async def call(self, verb: str, **args: JsonValue) -> JsonValue:
        """Have the agent do something, and get its answer.

        Raises
        ------
        Unreachable: it does not answer. Else what the agent raised.
        """

    @abstractmethod
    def delivered(self, job_id: str, attempt: int) -> None:
        """Everything of the attempt is in its folder on the hub's machine, and nothing runs."""


class TargetMaker(Protocol):
    """Makes the targets of one kind: what a plug-in's entry point in ``perijove.compute`` is."""

    kind: str

    async def check(self, definition: Definition) -> None:
        """Could this be made here?

        Raises
        ------
        InvalidInput, Conflict, NotFound: no, with the field at fault.
        """

    def make(self, definition: Definition, workshop: Workshop, on: bool) -> ManagedTarget:
        """The target, not started; `on`: it is meant to run."""


@dataclass(frozen=True)
class Workshop:
    """What a hub gives to those who make targets."""

    folder: Path
    """A folder of the target's own."""
    files: Path
    """A folder for users' files, where its machine has no disk of its own. It is never removed."""
    name: str
    """What it may call what it makes on other machines: nobody else has this name there."""
    lease: float
    preload: Sequence[str]
    gate: Path
    """The Unix socket on which agents call the hub."""
    network_gate: Callable[[], GateAddress | None]
    """The gate's TLS listener, if the owner has turned it on."""
    agent_token: str
    attempt_token: Callable[[str, int], str]
    tracking_uri: str
    changed: Callable[[], None]
    """To be called when the target's state is another one."""


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
