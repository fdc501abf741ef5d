"""An attempt: one try at a job, handed to a compute target and owned by one runner.

Everything about it is in its folder, which only its runner writes::

    spec.json      AttemptSpec, written by the hub before launch
    lock           flock'ed by the runner while it lives: who holds it owns the attempt
    runner.json    RunnerProcess, who has the lock
    heartbeat      touched by the runner every HEARTBEAT seconds
    spool.jsonl    SpoolEvents, appended
    place.json     AttemptPlace, where whoever starts the runner says what is the node's own
    keeper.json    RunnerProcess, who keeps a kernel that a zygote of its environment forked
    reserve        bytes kept back, so that a full disk still takes a verdict
    status.json    AttemptStatus, *linked* into place: whoever links it first has the verdict
    output.ipynb   the executed notebook, replaced by rename
    mlflow.spool   what user code has logged, appended: see `perijove.models.logged`
    mlflow.sent    how much of it MLflow has
    log.txt        the runner's and the script's stdout and stderr
    work/          the working folder;  outputs/ below it is kept (also PERIJOVE_OUTPUTS)
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field, JsonValue

from perijove.models.compute import Resources
from perijove.models.jobs import FailureReason, JobKind, JobState

HEARTBEAT = 2.0
"""Seconds between two heartbeats of a runner."""
LEASE = 30.0
"""Seconds without a heartbeat after which a runner has lost its attempt."""
OUTPUT_LIMIT = 50 * 1024 * 1024
"""Bytes of cell output kept for one attempt; more is dropped, and said in the notebook."""
SPEC, LOCK, SPOOL, STATUS, OUTPUT = (
    "spec.json",
    "lock",
    "spool.jsonl",
    "status.json",
    "output.ipynb",
)
HEARTBEAT_FILE, RUNNER, KEEPER, LOG, RESERVE, PLACE, WORK, OUTPUTS = (
    "heartbeat",
    "runner.json",
    "keeper.json",
    "log.txt",
    "reserve",
    "place.json",
    "work/above/root",
    "outputs",
)


class RunnerProcess(BaseModel):
    """A process named so that a recycled pid is not mistaken for it."""

    pid: int
    start_time: float = Field(description="clock ticks since boot on Linux, else epoch seconds")
    boot_id: str


class AttemptSpec(BaseModel):
    """All a runner needs to know. Secrets are in ``environ`` only; the file is 0600."""

    job_id: str
    attempt: int
    kind: JobKind
    name: str
    folder: str = Field(description="absolute path of the attempt's folder")
    source: str = Field(description="absolute path of the snapshot's notebook or script")
    snapshot: str = Field(description="absolute path of the snapshot folder")
    origin: str = Field(description="absolute folder the snapshot was taken from")
    workdir: str = Field(description="absolute working folder of the kernel or script")
    outputs: str = Field(description="absolute folder whose files are kept as artifacts")
    environment: str | None = Field(default=None, description="kernelspec")
    python: str | None = Field(
        default=None,
        description="interpreter of an environment that was built, and so never changes: its "
        "kernels may be forked from a zygote of its own",
    )
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    timeout: float | None = None
    environ: dict[str, str] = Field(default_factory=dict, description="added to the environment")
    poke: str | None = Field(default=None, description="Unix datagram socket to poke after events")
    carrier: RunnerProcess | None = Field(
        default=None,
        description="who alone brings to the hub what the attempt makes: the runner ends with it",
    )
    output_limit: int = OUTPUT_LIMIT
    resources: Resources = Field(default_factory=Resources)


class AttemptPlace(BaseModel):
    """The node an attempt runs on, and what it adds to the environment (its GPUs)."""

    node: str
    environ: dict[str, str] = Field(default_factory=dict)
    zygote: str | None = Field(
        default=None, description="Unix socket of the environment's zygote, which forks its kernels"
    )


class AttemptStatus(BaseModel):
    """The verdict on an attempt. ``state`` is terminal."""

    state: JobState
    reason: FailureReason | None = None
    message: str | None = None
    ended_at: datetime
    pid: int = Field(description="who wrote it")
    kernel: dict[str, JsonValue] = Field(
        default_factory=dict, description="name, language, version of the kernel that ran"
    )
    packages: dict[str, str] = Field(default_factory=dict, description="package → version")
    logged: bool = Field(default=True, description="user code may have logged to its run")
