"""A job: what is asked for (definition), what is stored (Job), and the words for its life."""

from __future__ import annotations

import json
import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema, field_validator

from perijove.models.compute import MEMORY_MAX, Resources, check_number, parse_memory
from perijove.models.names import (
    PARAMETER_BYTES,
    PARAMETERS_SCHEMA,
    TEXT_LENGTH,
    EnvironmentName,
    Name,
    RelativePath,
    Text,
    check_parameter_name,
    check_value,
)
from perijove.models.problems import PartError


class JobKind(StrEnum):
    """What is run: a notebook through papermill, or a script with its folder."""

    NOTEBOOK = "notebook"
    SCRIPT = "script"


class JobState(StrEnum):
    """Where a job is in its life; the last three are terminal and the first of them wins."""

    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    FINALIZING = "finalizing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def terminal(self) -> bool:
        return self in TERMINAL_STATES


TERMINAL_STATES = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED})
ACTIVE_STATES = frozenset(JobState) - TERMINAL_STATES


class FailureReason(StrEnum):
    """Why a job failed."""

    USER_ERROR = "user_error"
    KERNEL_DIED = "kernel_died"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    DISK_FULL = "disk_full"
    ENVIRONMENT_FAILED = "environment_failed"

    @classmethod
    def unplaced(cls, why: object) -> FailureReason:
        """That of an attempt which never began, as what it needs could not be had: `why`, in the
        words of uv, of a build or of the system."""
        full = any(
            words in str(why) for words in ("No space left on device", "Disk quota exceeded")
        )
        return cls.DISK_FULL if full else cls.ENVIRONMENT_FAILED


class Progress(BaseModel):
    """Code cells finished, of all code cells; a script has 0 of 0."""

    done: int = 0
    total: int = 0


TAG_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ ./-]{0,249}")
"""What MLflow accepts as the name of a tag, less what reads as a path out of somewhere."""
TAGS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "maxProperties": 100,
    "propertyNames": {"pattern": "^[A-Z][A-Za-z0-9_]{0,40}$"},
    "additionalProperties": {
        "type": "string",
        "maxLength": TEXT_LENGTH,
        "pattern": r"^[^\u0000]*$",
    },
}


class JobDefinition(BaseModel):
    """What to run and how: the body of a submission, and the YAML beside a notebook.

    ``path`` is relative to ``root``, an absolute folder; nothing outside ``root`` is read.
    In YAML ``root`` is left out and means the folder of the YAML file.
    """

    model_config = ConfigDict(extra="forbid")

    path: RelativePath
    root: Text = Field(default="", description="absolute folder that `path` is relative to")
    name: Name | None = Field(default=None, description="shown in lists; default: the file's stem")
    experiment: Name | None = Field(
        default=None,
        description="MLflow experiment; default: what the notebook passes to "
        "mlflow.set_experiment, else the file's stem",
    )
    compute: Name = "local"
    environment: EnvironmentName | None = Field(
        default=None,
        description="an environment (name, name:version, name@latest), a kernelspec, or the "
        "absolute path of a virtual environment; default: the notebook's own kernelspec",
    )
    parameters: Annotated[dict[str, JsonValue], WithJsonSchema(PARAMETERS_SCHEMA)] = Field(
        default_factory=dict
    )
    tags: Annotated[dict[str, Text], WithJsonSchema(TAGS_SCHEMA)] = Field(default_factory=dict)
    timeout: float | None = Field(
        default=None,
        gt=0,
        strict=True,
        le=10**8,
        allow_inf_nan=False,
        description="seconds, per attempt",
    )
    retries: int = Field(default=0, ge=0, le=100, description="further attempts after a failure")
    cpus: int = Field(default=1, ge=1, le=1024, description="CPUs the job needs of a node")
    memory: int | None = Field(
        default=None, ge=1 << 20, le=MEMORY_MAX, description="bytes it needs; None: not said"
    )
    gpus: int = Field(default=0, ge=0, le=64, description="GPUs it needs of a node")
    priority: int = Field(
        default=0, ge=-100, le=100, description="higher ones begin first, on their target"
    )

    @field_validator("parameters", mode="before")
    @classmethod
    def _values(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        checked = {}
        for name, item in value.items():
            if not isinstance(name, str):
                raise ValueError("parameter names must be text")
            try:
                check_parameter_name(name)
                checked[name] = check_value(item, name)
            except ValueError as error:
                raise PartError(name, str(error)) from None
        if len(json.dumps(checked)) > PARAMETER_BYTES:
            raise ValueError(f"parameters must have at most {PARAMETER_BYTES} bytes as JSON")
        return checked

    @field_validator("memory", mode="before")
    @classmethod
    def _memory(cls, value: object) -> object:
        return parse_memory(value) if isinstance(value, str) else check_number(value)

    @field_validator("retries", "cpus", "gpus", "priority", mode="before")
    @classmethod
    def _whole(cls, value: object) -> object:
        return check_number(value)

    @field_validator("tags")
    @classmethod
    def _tags(cls, tags: dict[str, str]) -> dict[str, str]:
        if len(tags) > 100:
            raise ValueError("a job must have at most 100 tags")
        for key, value in tags.items():
            if not TAG_NAME.fullmatch(key):
                raise ValueError(
                    f"tag names must be 1 to 250 letters, digits, blanks or _ - . / ({key[:80]!r})"
                )
            if key.startswith(("perijove.", "mlflow.")):
                raise ValueError(f"tag names must not start with perijove. or mlflow. ({key!r})")
            if len(value) > TEXT_LENGTH:
                raise ValueError(f"tag {key!r} must have at most {TEXT_LENGTH} characters")
        return tags


class JobSubmission(JobDefinition):
    """A definition under an id the client made: sending it again returns the first answer."""

    id: UUID = Field(default_factory=uuid4)


class Rerun(BaseModel):
    """What a rerun changes; everything else is the first job's."""

    model_config = ConfigDict(extra="forbid")

    id: UUID = Field(default_factory=uuid4)
    parameters: Annotated[
        dict[str, JsonValue] | None,
        WithJsonSchema({"anyOf": [PARAMETERS_SCHEMA, {"type": "null"}]}),
    ] = Field(default=None, description="merged over the first job's parameters")


class Job(BaseModel):
    """A job as everyone sees it. Times are UTC."""

    id: str
    kind: JobKind
    name: str
    state: JobState
    reason: FailureReason | None = None
    message: str | None = Field(default=None, description="one line on what went wrong, and where")
    run_id: str | None = None
    experiment: str
    experiment_id: str | None = None
    compute: str
    environment: str | None = None
    parameters: dict[str, JsonValue]
    tags: dict[str, str]
    path: str
    root: str
    timeout: float | None = None
    retries: int = 0
    cpus: int = 1
    memory: int | None = None
    gpus: int = 0
    priority: int = 0
    attempt: int = Field(default=0, description="the attempt that owns the job; 0: none yet")
    progress: Progress = Field(default_factory=Progress)
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    output_notebook: str | None = Field(
        default=None, description="absolute path of the executed notebook on the hub's machine"
    )
    rerun_of: str | None = None
    git_commit: str | None = None
    cancel_requested: bool = False
    recorded: bool = Field(default=False, description="everything about it is in MLflow")
    deleted: bool = False
    revision: int = Field(
        default=0, description="workspace-wide counter, higher after every change to any job"
    )

    @property
    def resources(self) -> Resources:
        """What it needs of a node."""
        return Resources(cpus=self.cpus, memory=self.memory, gpus=self.gpus)


class DryRun(BaseModel):
    """What a submission would do: the job, and the exact attempt that would be launched."""

    job: Job
    attempt: dict[str, JsonValue]


class JobFile(BaseModel):
    """A file a job left: its path in the job's folder and its size in bytes."""

    path: str
    size: int
    modified_at: datetime


class MetricPoint(BaseModel):
    """One value of a metric; ``timestamp`` in milliseconds since 1970."""

    value: float | str = Field(description="a number, or 'NaN', 'Infinity', '-Infinity'")
    step: int
    timestamp: int


class PruneReport(BaseModel):
    """What a deletion freed, and what stays."""

    deleted: list[str]
    freed_bytes: int
    kept_runs: list[str] = Field(description="MLflow runs that stay, with their artifacts")
    message: str
    dry_run: bool = False
