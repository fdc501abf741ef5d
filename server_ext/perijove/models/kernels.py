"""Kernels that run on compute instances: what is asked for, and what is known of one."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, field_validator

from perijove.models.attempts import RunnerProcess
from perijove.models.compute import check_number
from perijove.models.names import EnvironmentName, Text, check_text

SIGNALS = 64
"""The highest signal number there is on Linux."""
RECORD, PROCESS, LAUNCH, CONNECTION_FILE, LOG = (
    "record.json",
    "process.json",
    "launch.json",
    "kernel.json",
    "log",
)
"""The files in a kernel's folder on its node."""
ENVIRON_SCHEMA = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Z_]{1,20}$"},
    "additionalProperties": {"type": "string", "pattern": r"^[^\u0000]*$"},
}
VARIABLE = re.compile(r"^[^=\x00]+$")


def _kernel_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise ValueError("a kernel id must be a UUID") from None


def _environ(environ: dict[str, str]) -> dict[str, str]:
    for name in environ:
        if VARIABLE.match(name) is None:
            raise ValueError(f"{name!r} is no name of an environment variable")
        check_text(name)
    return environ


KernelId = Annotated[
    str, AfterValidator(_kernel_id), WithJsonSchema({"type": "string", "format": "uuid"})
]


class KernelState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    DEAD = "dead"


class KernelRequest(BaseModel):
    """A kernel to be started."""

    model_config = ConfigDict(extra="forbid")

    kernel_id: KernelId
    environment: EnvironmentName | None = Field(
        default=None,
        description="built (name, name:version, name@latest), a kernelspec there, or the path of a "
        "virtual environment there; None or base: the node's own Python",
    )
    python: Text | None = Field(
        default=None, max_length=4096, description="the environment's Python there, if it is known"
    )
    name: Text | None = Field(default=None, max_length=400, description="what people call it")
    cwd: Text | None = Field(
        default=None,
        max_length=4096,
        description="where it works; the home folder if missing there",
    )
    environ: Annotated[
        dict[str, Text], AfterValidator(_environ), WithJsonSchema(ENVIRON_SCHEMA)
    ] = Field(default_factory=dict, description="added to the environment the node has")
    encrypt: bool = Field(
        default=True, description="with CurveZMQ, if the environment can; off loopback it must"
    )
    owner: RunnerProcess | None = Field(
        default=None,
        description="a process of the hub's machine with which the kernel ends; None: it outlives",
    )


class Connection(BaseModel):
    """How to talk to a kernel: the content of Jupyter's connection file."""

    model_config = ConfigDict(extra="ignore")

    ip: str
    shell_port: int
    iopub_port: int
    stdin_port: int
    control_port: int
    hb_port: int
    key: str
    signature_scheme: str = "hmac-sha256"
    transport: str = "tcp"
    kernel_name: str = ""
    curve_publickey: str | None = None
    curve_secretkey: str | None = None

    @property
    def ports(self) -> list[int]:
        """The five ports, in the order of `PORTS`."""
        return [getattr(self, name) for name in PORTS]


PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


class KernelInfo(BaseModel):
    """A kernel. CPU in percent of one CPU, memory in bytes, both of its whole process tree."""

    kernel_id: str
    environment: str | None = None
    name: str | None = None
    state: KernelState
    pid: int | None = None
    started_at: datetime
    connection: Connection
    cpu_percent: float | None = None
    memory_used: int | None = None
    gpus: list[str] = Field(default_factory=list, description="those it may use")


class HostedKernel(KernelInfo):
    """A kernel, and the compute target that has it."""

    compute: str


class KernelSignal(BaseModel, extra="forbid"):
    signum: int = Field(ge=1, le=SIGNALS)

    @field_validator("signum", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        return check_number(value)


class KernelLaunch(BaseModel):
    """Everything a process needs to become the kernel; the fork of a zygote reads it."""

    argv: list[str]
    cwd: str
    environ: dict[str, str]


class KernelRecord(BaseModel):
    """What a node keeps of a kernel, so that it is found again."""

    request: KernelRequest
    started_at: datetime
