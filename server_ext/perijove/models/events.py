"""What happens to a job, as numbered events: one list per job, without gaps, never renumbered."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field, JsonValue


class EventType(StrEnum):
    """The kinds of event, and what ``data`` holds."""

    STATE = "state"
    """``{state, reason, message}``: the job's state changed."""
    ATTEMPT = "attempt"
    """``{attempt, warm}``: a runner took the attempt; ``warm``: its kernel was forked."""
    NOTEBOOK = "notebook"
    """``{cells: [{index, id, cell_type, source, metadata}], metadata,
    total}``: the parameterised notebook."""
    CELL_STARTED = "cell_started"
    """``{index}``."""
    OUTPUT = "output"
    """``{index, output}``: one nbformat output was appended (streams arrive in pieces)."""
    OUTPUT_UPDATED = "output_updated"
    """``{display_id, data, metadata}``: every output with this display id changed."""
    OUTPUT_CLEARED = "output_cleared"
    """``{index}``."""
    CELL_FINISHED = "cell_finished"
    """``{index, status: ok|error, execution_count, duration}``: seconds."""
    LOG = "log"
    """``{stream: stdout|stderr|runner, text}``: text of a script or of the runner."""
    METRIC = "metric"
    """``{key, value, step, timestamp}``: a value logged to the job's MLflow run."""
    RECORDED = "recorded"
    """``{run_id}``: everything about the job is in MLflow."""


class SpoolEvent(BaseModel):
    """A line of a runner's spool: numbered from 1 in its attempt."""

    seq: int
    time: datetime
    type: EventType
    data: dict[str, JsonValue] = Field(default_factory=dict)


class JobEvent(SpoolEvent):
    """An event as subscribers see it: ``seq`` counts from 1 over the whole job."""

    job_id: str
    attempt: int
    spool_seq: int | None = Field(
        default=None, description="its number in the runner's spool; None: the hub's own event"
    )


class TrackingChange(BaseModel):
    """Message ``tracking`` of the stream: what changed in MLflow since the last one.

    Lists that would be long are left out, and `everything` says that anything may have changed.
    """

    experiments: list[str] = Field(default_factory=list, description="ids")
    runs: list[str] = Field(default_factory=list, description="ids")
    models: list[str] = Field(default_factory=list, description="names")
    everything: bool = False
