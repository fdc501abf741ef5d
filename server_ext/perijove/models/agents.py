"""What a hub and the agent on an instance's machine say to each other.

The agent calls the hub's *gate* (`GateAddress`) and keeps one answer open, on which the hub
sends it commands, one JSON object a line::

    hub → agent   {"launch": AttemptOrder}     known ones are ignored
                  {"cancel": "JOB/1"}          end it; the verdict is the runner's, or *canceled*
                  {"forget": "JOB/1"}          the hub has no use for it any more: end it, at once
                  {"call": 7, "do": "…", "args": {…}}    answered in a report
                  {"keep": ["DIGEST", …]}      environments that there are; remove the others
                  {"stop": true}               end everything, and go
                  {}                           nothing: a sign of life
    agent → hub   AgentHello, then AgentReport whenever there is something, and every REPORT seconds

What attempts write is copied to the hub byte by byte: their spool from the offset where the hub's
copy ends, other files whole.
"""

from __future__ import annotations

from pydantic import BaseModel, Field, JsonValue

from perijove.models.attempts import AttemptStatus, RunnerProcess

REPORT = 4.0
"""Seconds between two reports, if nothing happens."""
SILENCE = 15.0
"""Seconds without a report after which a machine counts as out of reach."""
CONFIG, PROCESS, AGENT_LOCK, AGENT_LOG, RELAY = (
    "agent.json",
    "process.json",
    "lock",
    "agent.log",
    "relay",
)
ENVIRONMENT = "environment.json"
"""In an attempt's package: what its environment is built from."""


class GateAddress(BaseModel):
    """Where an agent reaches the hub's gate."""

    url: str = Field(description="http://127.0.0.1:port, https://host:port")
    socket: str | None = Field(default=None, description="Unix socket to connect to instead")
    certificate: str | None = Field(default=None, description="PEM that https must show")


class AgentConfig(BaseModel):
    """``agent.json`` (0600) in the agent's folder; read again at every connection."""

    target: str
    gate: GateAddress
    token: str
    tracking_uri: str | None = Field(
        default=None, description="MLflow as it is reached from here; None: as the hub says it"
    )
    relay: bool = Field(
        default=False, description="jobs reach MLflow through a loopback port of the agent's"
    )
    open_kernels: bool = Field(
        default=False, description="kernels listen where the hub's machine reaches them, encrypted"
    )
    cpus: int = 1
    gpus: int = 0
    preload: list[str] = Field(default_factory=list, description="modules imported ahead")
    warm_start: bool = Field(default=True, description="fork runners and kernels")


class MachineFacts(BaseModel):
    """The machine an agent runs on. Memory in bytes."""

    hostname: str
    system: str
    python: str
    cpus: int
    memory: int
    addresses: list[str] = Field(default_factory=list)


class AgentHello(BaseModel):
    """Who calls, and what it has."""

    process: RunnerProcess
    facts: MachineFacts
    attempts: list[str] = Field(description="keys of attempts that are not yet delivered")
    up: float = Field(default=0, description="seconds for which it has been running")


class AttemptOrder(BaseModel):
    """An attempt to launch."""

    job_id: str
    attempt: int
    folder: str | None = Field(
        default=None, description="the attempt's folder, where agent and hub share it"
    )
    token: str = Field(description="good for this attempt only")

    @property
    def key(self) -> str:
        return f"{self.job_id}/{self.attempt}"


class Usage(BaseModel):
    """What everything the agent has started uses now."""

    cpu_percent: float = Field(default=0, description="of one CPU")
    memory: int = Field(default=0, description="bytes")


class Answer(BaseModel):
    """To a call."""

    id: int
    result: JsonValue = None
    error: dict[str, JsonValue] | None = None


class AgentReport(BaseModel):
    """What has happened on the machine."""

    usage: Usage = Field(default_factory=Usage)
    gone: dict[str, str | None] = Field(
        default_factory=dict, description="attempts nothing is left of here → why, if lost"
    )
    answers: list[Answer] = Field(default_factory=list)
    kernels: list[dict[str, JsonValue]] = Field(default_factory=list)
    busy: list[str] = Field(default_factory=list, description="what keeps the machine from idling")


class SpoolReceipt(BaseModel):
    """Where the hub's copy of a spool ends now."""

    offset: int
    over: bool = Field(description="the attempt has its verdict: nothing more is wanted of it")


class Ending(BaseModel):
    """An attempt's last word: everything else of it is delivered."""

    status: AttemptStatus
