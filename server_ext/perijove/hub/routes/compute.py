"""Compute targets."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from perijove.hub.context import TheHub
from perijove.models.compute import ComputeTargetInfo, Node, Scale, TargetEvent, UsageSample
from perijove.models.instances import AnyDefinition, HostQuestion, ShownKey

router = APIRouter(tags=["compute"])
TargetName = Annotated[str, Path(max_length=64, description="a compute target's name")]
PLAIN: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {}}, "description": "the log"}
}


class Force(BaseModel, extra="forbid"):
    force: bool = Field(default=False, strict=True, description="cancel its jobs first")


class Deleted(BaseModel):
    name: str
    state: str = "deleted"
    message: str | None = Field(default=None, description="what is left, and what becomes of it")


class Shell(BaseModel):
    command: list[str] = Field(description="argument list, for the hub's machine")


@router.get("/compute")
async def list_targets(hub: TheHub) -> list[ComputeTargetInfo]:
    """The compute targets, this machine first."""
    return hub.compute.all()


@router.post("/compute", status_code=201)
async def create(hub: TheHub, definition: AnyDefinition) -> ComputeTargetInfo:
    """Make a cluster or an instance and bring it up, or attach what is there."""
    return await hub.compute.create(definition)


@router.get("/compute/{name}")
async def show(hub: TheHub, name: TargetName) -> ComputeTargetInfo:
    """A compute target."""
    return hub.compute.get(name)


@router.get("/compute/{name}/nodes")
async def nodes(hub: TheHub, name: TargetName) -> list[Node]:
    """Its nodes."""
    return hub.compute.nodes(name)


@router.get("/compute/{name}/usage")
async def usage(hub: TheHub, name: TargetName) -> list[UsageSample]:
    """What its nodes have used in the last minutes, oldest first."""
    return hub.compute.usage(name)


@router.get("/compute/{name}/events")
async def events(hub: TheHub, name: TargetName) -> list[TargetEvent]:
    """What happened to it, oldest first; the last ones of many."""
    return hub.compute.events(name)


@router.get("/compute/{name}/logs", responses=PLAIN, response_class=StreamingResponse)
async def logs(hub: TheHub, name: TargetName) -> StreamingResponse:
    """The end of what it and its nodes have said."""
    return StreamingResponse(iter([hub.compute.log(name)]), media_type="text/plain; charset=utf-8")


@router.post("/compute/{name}/start")
async def start(hub: TheHub, name: TargetName) -> ComputeTargetInfo:
    """Bring it up."""
    return await hub.compute.start(name)


@router.post("/compute/{name}/stop")
async def stop(hub: TheHub, name: TargetName, wish: Force) -> ComputeTargetInfo:
    """End its nodes; queued jobs wait."""
    return await hub.compute.stop(name, wish.force)


@router.post("/compute/{name}/restart")
async def restart(hub: TheHub, name: TargetName, wish: Force) -> ComputeTargetInfo:
    """Stop it and start it again."""
    return await hub.compute.restart(name, wish.force)


@router.post("/compute/{name}/scale")
async def scale(hub: TheHub, name: TargetName, wish: Scale) -> ComputeTargetInfo:
    """Give it other limits."""
    return await hub.compute.scale(name, wish)


@router.post("/compute/{name}/delete")
async def delete(hub: TheHub, name: TargetName, wish: Force) -> Deleted:
    """End it and forget it."""
    return Deleted(name=name, message=await hub.compute.delete(name, wish.force))


@router.post("/compute/{name}/keep-running")
async def keep_running(hub: TheHub, name: TargetName) -> ComputeTargetInfo:
    """Call off the stop that is announced."""
    hub.power.keep(name)
    return hub.compute.get(name)


@router.post("/compute/{name}/connections")
async def connected(hub: TheHub, name: TargetName) -> Shell:
    """Say that somebody is connected, and get the command that opens a shell there."""
    hub.power.touch(name)
    return Shell(command=hub.compute.shell(name))


@router.post("/host-keys")
async def host_key(hub: TheHub, question: HostQuestion) -> ShownKey:
    """The key that a machine shows over SSH, for a person to compare."""
    return await hub.compute.host_key(question)
