"""Compute targets: what a user asks for, and what everyone sees."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Protocol

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from perijove.errors import Conflict
from perijove.models.problems import PartError
from perijove.models.slurm import SlurmWish

TARGET_NAME = "^[A-Za-z][A-Za-z0-9-]{2,23}$"
"""Azure ML's rule."""
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
UNITS |= {f"{unit}i": 1 << (10 * power) for power, unit in enumerate("KMGT", 1)}
MEMORY = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([KMGT]i?)?B?\s*$", re.IGNORECASE)
MEMORY_MAX = 1 << 50


def check_name(name: str) -> str:
    """Raises ValueError, if a target may not be called so."""
    if re.fullmatch(TARGET_NAME, name) is None:
        raise ValueError("must be 3 to 24 letters, digits and hyphens, a letter first")
    return name


TargetName = Annotated[
    str, AfterValidator(check_name), WithJsonSchema({"type": "string", "pattern": TARGET_NAME})
]


def parse_memory(text: str) -> int:
    """Bytes of ``4GiB``, ``500MB`` or ``1073741824``.

    Raises
    ------
    ValueError: it is none of these, or less than a MiB, as where a unit was forgotten.
    """
    found = MEMORY.match(text)
    if found is None:
        raise ValueError("must be a size such as 4GiB, 500MB or a number of bytes")
    unit = (found[2] or "").replace("I", "i")
    unit = unit[:1].upper() + unit[1:]
    size = int(float(found[1]) * UNITS[unit])
    if size < 1 << 20:
        raise ValueError("must be at least 1MiB; say 4GiB, and not 4")
    return size


def show_memory(size: int) -> str:
    """``1.5 GiB`` of bytes."""
    unit, power = next(
        (found for found in (("TiB", 40), ("GiB", 30), ("MiB", 20)) if size >= 1 << found[1]),
        ("KiB", 10),
    )
    number = size / (1 << power)
    return f"{number:.4g} {unit}" if number < 1000 else f"{number:.0f} {unit}"


def show_amount(field: str, amount: int) -> str:
    """``4 CPUs``, ``1.5 GiB of memory``: what there is of `cpus`, `memory` or `gpus`."""
    if field == "memory":
        return f"{show_memory(amount)} of memory"
    return f"{amount} {field[:-1].upper()}{'s' * (amount != 1)}"


def check_number(value: object) -> object:
    """Raises ValueError for what only looks like a number."""
    # 2.0 is a whole number in JSON; "2" and true are not
    if isinstance(value, (str, bool)):
        raise ValueError("must be a number")
    return value


class Kind(StrEnum):
    LOCAL = "local"
    INSTANCE = "instance"
    CLUSTER = "cluster"
    ATTACHED = "attached"


class TargetState(StrEnum):
    CREATING = "creating"
    RUNNING = "running"
    STARTING = "starting"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    UNUSABLE = "unusable"
    DELETING = "deleting"

    @property
    def said(self) -> str:
        """What is said of a target in this state, after its name."""
        match self:
            case TargetState.FAILED:
                return "has failed"
            case TargetState.UNUSABLE:
                return "cannot be used now"
            case TargetState.CREATING | TargetState.DELETING:
                return f"is being {self.removesuffix('ing')}ed"
            case _:
                return f"is {self.value}"


class NodeState(StrEnum):
    PREPARING = "preparing"
    IDLE = "idle"
    RUNNING = "running"
    LEAVING = "leaving"
    UNUSABLE = "unusable"


class Sized(Protocol):
    """Something with room for jobs."""

    @property
    def cpus(self) -> int: ...
    @property
    def memory(self) -> int | None: ...
    @property
    def gpus(self) -> int: ...


class Resources(BaseModel):
    """What one job needs of a node, or what one node has. Memory in bytes."""

    model_config = ConfigDict(extra="forbid")

    cpus: int = Field(default=1, ge=1, le=1024)
    memory: int | None = Field(default=None, ge=1 << 20, le=MEMORY_MAX)
    gpus: int = Field(default=0, ge=0, le=64)

    def fits(self, node: Sized) -> bool:
        """Is there room for it?"""
        return (
            self.cpus <= node.cpus
            and self.gpus <= node.gpus
            and (self.memory is None or node.memory is None or self.memory <= node.memory)
        )

    def must_fit(self, node: Resources, called: str, remedy: str) -> None:
        """Raises Conflict: there is never room for it; ``field`` is what is too much."""
        for field in ("cpus", "gpus", "memory"):
            asked, has = getattr(self, field), getattr(node, field)
            if asked is not None and has is not None and asked > has:
                raise Conflict(
                    f"The job needs {show_amount(field, asked)}, and {called} has "
                    f"{show_amount(field, has)}.",
                    field=field,
                    remedy=remedy,
                )


class ClusterDefinition(SlurmWish):
    """A training cluster that scales by itself."""

    name: TargetName
    kind: Literal[Kind.CLUSTER] = Kind.CLUSTER
    on: str = Field(default="local", max_length=32, pattern="^[a-z][a-z0-9_-]*$")
    min_nodes: int = Field(default=0, ge=0, le=1000)
    max_nodes: int = Field(default=4, ge=1, le=1000)
    cpus: int = Field(default=1, ge=1, le=1024, description="CPUs of a node")
    memory: int | None = Field(
        default=None, ge=1 << 20, le=MEMORY_MAX, description="bytes of a node; None: not limited"
    )
    gpus: int = Field(default=0, ge=0, le=64, description="GPUs of a node")
    idle_seconds_before_scale_down: float = Field(default=120, ge=0, le=10**7, allow_inf_nan=False)

    hosts: list[Annotated[str, Field(max_length=300)]] = Field(
        default_factory=list, max_length=1000, description="on ssh: [user@]host[:port] each"
    )
    host_keys: list[Annotated[str, Field(max_length=2000)]] = Field(
        default_factory=list,
        max_length=1000,
        description="the keys they were confirmed to have, in the same order: type base64",
    )
    identity_file: str | None = Field(default=None, max_length=1000)
    proxy_jump: str | None = Field(default=None, max_length=300)

    @field_validator("memory", mode="before")
    @classmethod
    def _memory(cls, value: object) -> object:
        return parse_memory(value) if isinstance(value, str) else check_number(value)

    @field_validator(
        "min_nodes", "max_nodes", "cpus", "gpus", "idle_seconds_before_scale_down", mode="before"
    )
    @classmethod
    def _number(cls, value: object) -> object:
        return check_number(value)

    @model_validator(mode="after")
    def _its_hosts(self) -> ClusterDefinition:
        for field in ("hosts", "host_keys", "identity_file", "proxy_jump"):
            if getattr(self, field) and self.on != "ssh":
                raise PartError(field, f"{field} is for clusters on ssh only")
        if self.on != "ssh":
            return self
        if not self.hosts:
            raise PartError("hosts", "a cluster on ssh needs hosts")
        if len(set(self.hosts)) < len(self.hosts):
            raise PartError("hosts", "a host is named twice")
        if len(self.host_keys) != len(self.hosts):
            raise PartError("host_keys", "every host needs its confirmed key, in the same order")
        if "max_nodes" not in self.model_fields_set:
            self.max_nodes = len(self.hosts)
        return self

    @property
    def node(self) -> Resources:
        """What a node has."""
        return Resources(cpus=self.cpus, memory=self.memory, gpus=self.gpus)


class Operation(BaseModel):
    """The last thing that was done to a target."""

    name: str = Field(description="create | start | stop | restart | scale | delete")
    outcome: str = Field(description="running | succeeded | failed")
    message: str | None = None
    begun_at: datetime
    ended_at: datetime | None = None


class TargetEvent(BaseModel):
    """Something that happened to a target."""

    at: datetime
    name: str = Field(
        description="create | start | stop | restart | scale | unreachable | back …, or a plug-in's"
    )
    outcome: Literal["succeeded", "failed", "noted"] = "noted"
    message: str | None = Field(default=None, description="why, or what went wrong")
    seconds: float | None = Field(default=None, description="how long it took")


class Node(BaseModel):
    """One node of a cluster. Figures are as last heard; CPU in percent of the node's CPUs."""

    id: str
    state: NodeState
    address: str | None = None
    cpus: int
    memory: int | None = Field(default=None, description="bytes it has")
    gpus: int = 0
    cpu_percent: float | None = None
    memory_used: int | None = Field(default=None, description="bytes in use by it")
    jobs: list[str] = Field(default_factory=list, description="ids of the jobs that run on it")
    started_at: datetime | None = None
    message: str | None = None

    @property
    def is_up(self) -> bool:
        """Is it there, and heard of?"""
        return self.state not in (NodeState.PREPARING, NodeState.UNUSABLE)


class Usage(BaseModel):
    """What all nodes of a target that are up use together."""

    cpu_percent: float = Field(description="of all their CPUs")
    memory_used: int = Field(description="bytes")
    memory: int | None = Field(description="bytes they have; None: it is not known")

    @classmethod
    def of(cls, nodes: Sequence[Node]) -> Usage | None:
        """What those of the nodes use that say so; None: no one does."""
        heard = [node for node in nodes if node.cpu_percent is not None]
        if not heard:
            return None
        rooms = [node.memory for node in heard if node.memory is not None]
        return cls(
            cpu_percent=round(
                sum((n.cpu_percent or 0) * n.cpus for n in heard) / sum(n.cpus for n in heard), 1
            ),
            memory_used=sum(node.memory_used or 0 for node in heard),
            memory=sum(rooms) if len(rooms) == len(heard) else None,
        )


class NodeUsage(BaseModel):
    """What a node used at a moment."""

    id: str
    busy: bool = Field(description="did it run something")
    cpu_percent: float = Field(description="of its CPUs")
    memory_used: int = Field(description="bytes")


class UsageSample(BaseModel):
    """What the nodes of a target used at a moment, those that were up."""

    age: float = Field(description="seconds since then")
    nodes: list[NodeUsage]


class ClusterState(BaseModel):
    """What a cluster's process knows of itself."""

    nodes: list[Node] = Field(default_factory=list)
    target_nodes: int = 0
    waiting: int = Field(default=0, description="attempts that no node has taken yet")
    node_seconds: float | None = Field(
        default=None,
        description="that nodes have been up, summed, since what keeps them began; None: not heard",
    )
    scheduler: str = Field(default="", description="tls://…")
    dashboard: str = Field(default="", description="http://…, loopback only")
    certificates: str = Field(default="", description="folder of the cluster's certificate")
    message: str | None = None
    reachable: bool = Field(default=True, description="can it take work, or will it soon")


class ComputeTargetInfo(BaseModel):
    """A compute target as everyone sees it."""

    name: str
    kind: str = Field(description="local | cluster | instance | attached, or a plug-in's")
    on: str
    state: TargetState
    message: str | None = None
    slots: int = Field(description="jobs that may run at once")
    current_nodes: int
    busy_nodes: int
    target_nodes: int
    min_nodes: int
    max_nodes: int
    running_jobs: int
    queued_jobs: int
    node_hours: float = Field(default=0, description="hours that its nodes have been up, summed")
    usage: Usage | None = Field(default=None, description="None: no node of its is up")
    created_at: datetime | None = None
    created_by: str | None = None
    last_operation: Operation | None = None
    attributes: dict[str, JsonValue] = Field(
        default_factory=dict, description="what it was made as: size, owner, workspace …"
    )
    properties: dict[str, JsonValue] = Field(
        default_factory=dict, description="what it is now: addresses, links, limits …"
    )


class Scale(BaseModel):
    """New limits; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    min_nodes: int | None = Field(default=None, ge=0, le=1000)
    max_nodes: int | None = Field(default=None, ge=1, le=1000)
    idle_seconds_before_scale_down: float | None = Field(
        default=None, ge=0, le=10**7, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        return check_number(value)


class StoredTarget(BaseModel):
    """A target as the control database keeps it."""

    name: str
    definition: dict[str, Any]
    state: TargetState
    message: str | None = None
    last_operation: Operation | None = None
    node_seconds: float = 0
    node_counter: float = 0
    """What the target's own count was when it was last added to `node_seconds`."""
    created_at: datetime
    created_by: str

    def node_seconds_at(self, count: float | None) -> float:
        """All seconds that nodes have been up, when the target's own count is this."""
        if count is None:
            return self.node_seconds
        # one that is less has begun anew
        return self.node_seconds + count - (self.node_counter if count >= self.node_counter else 0)
