"""Compute instances and attached machines: what a user asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    TypeAdapter,
    field_validator,
    model_validator,
)

from perijove.errors import InvalidInput
from perijove.models.compute import (
    MEMORY_MAX,
    ClusterDefinition,
    Kind,
    Resources,
    TargetName,
    check_number,
    parse_memory,
)
from perijove.models.problems import PartError, validated
from perijove.models.schedules import PowerSchedule
from perijove.models.slurm import SlurmWish
from perijove.models.ssh import HostKey

MACHINES = ("local", "ssh", "container", "slurm")
"""What an instance can be on."""
ONLY = {
    "host": "ssh",
    "identity_file": "ssh",
    "host_key": "ssh",
    "proxy_jump": "ssh",
    "image": "container",
    **dict.fromkeys(SlurmWish.model_fields, "slurm"),
}
"""Fields that mean something on one kind of machine only."""


CERTIFICATES = ("ca.pem", "cert.pem", "key.pem")
"""What the folder with a Dask scheduler's certificates holds: who is trusted, and who we are."""
SCHEDULER = re.compile(
    r"(?P<scheme>tls|tcp)://(?P<host>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})"
)
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class ShownKey(HostKey):
    """The key that a machine shows now."""

    host: str
    known: bool = Field(description="it is in the user's known_hosts already")


class HostQuestion(BaseModel):
    """Which machine's key?"""

    model_config = ConfigDict(extra="forbid")

    host: str = Field(max_length=300, description="[user@]host[:port]")
    proxy_jump: str | None = Field(default=None, max_length=300)
    identity_file: str | None = Field(
        default=None, max_length=1000, description="for the machines on the way"
    )


class SshOptions(BaseModel):
    """How a machine is reached over SSH."""

    model_config = ConfigDict(extra="forbid")

    host: str | None = Field(default=None, max_length=300, description="[user@]host[:port]")
    identity_file: str | None = Field(default=None, max_length=1000)
    host_key: str | None = Field(
        default=None, max_length=2000, description="the key it was confirmed to have: type base64"
    )
    proxy_jump: str | None = Field(default=None, max_length=300)


class InstanceDefinition(SshOptions, SlurmWish):
    """One named, long-lived machine for kernels, terminals and jobs."""

    name: TargetName
    kind: Literal[Kind.INSTANCE] = Kind.INSTANCE
    on: Literal["local", "ssh", "container", "slurm"] = "local"
    cpus: int = Field(default=1, ge=1, le=1024, description="CPUs, and so jobs at once")
    memory: int | None = Field(
        default=None, ge=1 << 20, le=MEMORY_MAX, description="bytes; None: not limited"
    )
    gpus: int = Field(default=0, ge=0, le=64)
    image: str | None = Field(default=None, max_length=300, description="container image")
    idle_minutes_before_shutdown: float | None = Field(
        default=None,
        gt=0,
        le=10**6,
        allow_inf_nan=False,
        description="without kernel, terminal, job or connection; None: it stays on",
    )
    schedules: list[PowerSchedule] = Field(default_factory=list, max_length=20)
    ssh_access: bool = Field(
        default=False, description="on ssh: show how to log in there; chosen at creation only"
    )

    @field_validator("memory", mode="before")
    @classmethod
    def _memory(cls, value: object) -> object:
        return parse_memory(value) if isinstance(value, str) else check_number(value)

    @field_validator("cpus", "gpus", "idle_minutes_before_shutdown", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        return check_number(value)

    @model_validator(mode="after")
    def _fields_of_its_machine(self) -> InstanceDefinition:
        for field, on in ONLY.items():
            if getattr(self, field) and self.on != on:
                raise PartError(field, f"is for instances on {on} only")
        if self.on == "ssh" and not self.host:
            raise PartError("host", "an instance on ssh needs one")
        return self

    @property
    def node(self) -> Resources:
        """What it has."""
        return Resources(cpus=self.cpus, memory=self.memory, gpus=self.gpus)


class AttachedDefinition(SshOptions):
    """A machine, or a Dask scheduler, that is there already and used as it is."""

    name: TargetName
    kind: Literal[Kind.ATTACHED] = Kind.ATTACHED
    scheduler: str | None = Field(default=None, max_length=300, description="tls://host:port")
    certificates: str | None = Field(
        default=None,
        max_length=1000,
        description="folder with the scheduler's ca.pem, cert.pem and key.pem",
    )
    cpus: int | None = Field(
        default=None, ge=1, le=1024, description="jobs at once; None: as many as it has CPUs"
    )

    @property
    def on(self) -> str:
        return "dask" if self.scheduler else "ssh"

    @field_validator("cpus", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        return check_number(value)

    @model_validator(mode="after")
    def _one_of_both(self) -> AttachedDefinition:
        if bool(self.host) == bool(self.scheduler):
            raise PartError("host", "give a host or a scheduler, and not both")
        if self.scheduler is None and self.certificates:
            raise PartError("certificates", "certificates are a scheduler's, and not a host's")
        return self

    @field_validator("scheduler")
    @classmethod
    def _scheduler(cls, value: str | None) -> str | None:
        if value is None:
            return None
        found = SCHEDULER.fullmatch(value)
        if found is None or not 0 < int(found["port"]) < 65536:
            raise ValueError("a scheduler's address is tls://HOST:PORT")
        if found["scheme"] == "tcp" and found["host"] not in LOOPBACK:
            raise ValueError(
                "a scheduler on another machine must speak TLS: start it with --tls-ca-file, "
                "--tls-cert and --tls-key, and give tls://HOST:PORT"
            )
        return value


class PluginDefinition(BaseModel):
    """A target of a kind that a plug-in brings; the plug-in checks the rest."""

    model_config = ConfigDict(extra="allow")

    name: TargetName
    kind: Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{1,31}$")]
    on: str = Field(default="", max_length=64)


TAGS = frozenset({"cluster", "instance", "attached", "plugin"})
"""What pydantic calls the kinds, in front of a field that breaks a rule."""


def _tag(value: object) -> str:
    kind = value.get("kind", "cluster") if isinstance(value, dict) else getattr(value, "kind", "")
    return kind if isinstance(kind, str) and kind in DEFINITIONS else "plugin"


Definition = ClusterDefinition | InstanceDefinition | AttachedDefinition | PluginDefinition
AnyDefinition = Annotated[
    Annotated[ClusterDefinition, Tag("cluster")]
    | Annotated[InstanceDefinition, Tag("instance")]
    | Annotated[AttachedDefinition, Tag("attached")]
    | Annotated[PluginDefinition, Tag("plugin")],
    Discriminator(_tag),
]
"""Told apart by ``kind``; without one it is a cluster."""
DEFINITIONS: dict[str, type[Definition]] = {
    Kind.CLUSTER.value: ClusterDefinition,
    Kind.INSTANCE.value: InstanceDefinition,
    Kind.ATTACHED.value: AttachedDefinition,
}


_adapter: TypeAdapter[Definition] = TypeAdapter(AnyDefinition)


def read_definition(data: dict[str, Any]) -> Definition:
    """The definition that a stored or sent object is.

    Raises
    ------
    pydantic.ValidationError: it breaks a rule of its kind.
    """
    return _adapter.validate_python(data)


def asked_definition(given: Mapping[str, Any]) -> Definition:
    """The definition that a user gives; without a kind it is a cluster.

    Raises
    ------
    InvalidInput: a field breaks a rule of its kind, or is another kind's.
    """
    model = DEFINITIONS.get(str(given.get("kind", Kind.CLUSTER)), PluginDefinition)
    try:
        return validated(model, given)
    except InvalidInput as error:
        kinds = [kind for kind, each in DEFINITIONS.items() if error.field in each.model_fields]
        if kinds and error.field not in model.model_fields:
            error.remedy = f"It is for kind {' and '.join(kinds)}."
        raise


def size_of(definition: Definition) -> dict[str, JsonValue]:
    """``cpus``, ``memory`` (bytes) and ``gpus`` it was made with, where it says."""
    return {key: getattr(definition, key, None) for key in ("cpus", "memory", "gpus")}
