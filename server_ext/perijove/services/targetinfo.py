"""Compute targets as everyone sees them: what was asked for, what is there, and what comes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from perijove.abc import ComputeTarget, ManagedTarget
from perijove.errors import Conflict
from perijove.models.compute import (
    ComputeTargetInfo,
    Kind,
    NodeState,
    StoredTarget,
    TargetState,
    Usage,
)
from perijove.models.instances import Definition, read_definition, size_of

OFF = (TargetState.STOPPED, TargetState.FAILED)


@dataclass(frozen=True)
class Notice:
    """A stop that will come by itself."""

    at: datetime
    reason: str
    idle: bool
    """It comes because nothing uses the instance; else at a time that was set."""


def must_run(target: ComputeTargetInfo) -> None:
    """Raises Conflict, if the target does not run."""
    state, name = target.state, target.name
    if state is TargetState.RUNNING:
        return
    look = f"perijove compute show {name}"
    remedy = f"Wait for it, or look at it with: {look}."
    if state in OFF:
        remedy = f"Start it: perijove compute start {name}."
    elif state is TargetState.UNUSABLE:
        remedy = f"Look at it with: {look}."
    elif state is TargetState.DELETING:
        remedy = "Use another one."
    why = f": {target.message}" if target.message else "."
    raise Conflict(f"{name} {state.said}{why}", field="name", remedy=remedy)


def describe_local(target: ComputeTarget, running: int, queued: int) -> ComputeTargetInfo:
    """The hub's own machine."""
    return ComputeTargetInfo(
        name=target.name,
        kind=Kind.LOCAL,
        on="local",
        state=TargetState.RUNNING,
        slots=target.slots,
        current_nodes=1,
        busy_nodes=int(running > 0),
        target_nodes=1,
        min_nodes=1,
        max_nodes=1,
        running_jobs=running,
        queued_jobs=queued,
    )


def describe(
    target: ManagedTarget,
    stored: StoredTarget,
    running: int,
    queued: int,
    notice: Notice | None,
    workspace: str,
) -> ComputeTargetInfo:
    """A target that was created. `running`: attempts it was given; `queued`: jobs that wait for
    that."""
    definition, now = read_definition(stored.definition), target.nodes_now
    up = [node for node in now.nodes if node.is_up]
    state = stored.state
    if state is TargetState.RUNNING and not target.usable:
        state = TargetState.UNUSABLE
    return ComputeTargetInfo(
        name=stored.name,
        kind=definition.kind,
        on=definition.on,
        state=state,
        message=stored.message or now.message,
        slots=target.slots,
        current_nodes=len(up),
        busy_nodes=sum(node.state is NodeState.RUNNING for node in up),
        target_nodes=now.target_nodes,
        min_nodes=getattr(definition, "min_nodes", 1),
        max_nodes=getattr(definition, "max_nodes", 1),
        running_jobs=max(0, running - now.waiting),
        queued_jobs=queued + min(running, now.waiting),
        node_hours=round(stored.node_seconds_at(now.node_seconds) / 3600, 4),
        usage=Usage.of(up),
        created_at=stored.created_at,
        created_by=stored.created_by,
        last_operation=stored.last_operation,
        attributes=_attributes(stored, definition, workspace),
        properties=target.properties() | _coming(notice),
    )


def _coming(notice: Notice | None) -> dict[str, JsonValue]:
    if notice is None:
        return {}
    return {"shutdown_at": notice.at.isoformat(), "shutdown_reason": notice.reason}


def _attributes(
    stored: StoredTarget, definition: Definition, workspace: str
) -> dict[str, JsonValue]:
    given = definition.model_dump(mode="json", exclude={"name", "kind", "on"}, exclude_none=True)
    said = {key: value for key, value in given.items() if value != []}
    return said | {
        "name": stored.name,
        "size": size_of(definition),
        "owner": stored.created_by,
        "created_by": stored.created_by,
        "created_at": stored.created_at.isoformat(),
        "workspace": workspace,
    }
