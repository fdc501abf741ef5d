"""Environments."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from perijove.hub.context import TheHub
from perijove.hub.streams import follow_build
from perijove.models.environments import (
    DeletedEnvironment,
    EnvironmentDefinition,
    EnvironmentDetails,
    EnvironmentSummary,
)

router = APIRouter(tags=["environments"])
Reference = Annotated[
    str, Path(max_length=200, description="a name, name:version, name@latest, or a kernelspec")
]
PLAIN: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {}}, "description": "the log"}
}


@router.get("/environments")
async def list_environments(hub: TheHub) -> list[EnvironmentSummary]:
    """What jobs can run in: the hub's own Python, what was built, and kernelspecs."""
    return hub.environments.catalog.list()


@router.post("/environments", status_code=201)
async def create(hub: TheHub, definition: EnvironmentDefinition) -> EnvironmentSummary:
    """Make a version of an environment; it is built in the background."""
    return await hub.environments.create(definition)


@router.get("/environments/{name}")
async def show(hub: TheHub, name: Reference) -> EnvironmentDetails:
    """An environment."""
    return hub.environments.catalog.get(name)


@router.get("/environments/{name}/wait")
async def wait(
    hub: TheHub,
    name: Reference,
    timeout: Annotated[float, Query(ge=0, le=300, description="seconds")] = 20,
) -> EnvironmentDetails:
    """The environment when its build is over, or as it is after `timeout`."""
    return await hub.environments.wait(name, timeout)


@router.get("/environments/{name}/logs", responses=PLAIN, response_class=StreamingResponse)
async def logs(
    hub: TheHub,
    name: Reference,
    follow: Annotated[bool, Query(description="go on until the build is over")] = False,
) -> StreamingResponse:
    """What its build has said."""
    hub.environments.log(name)
    log = follow_build(hub, name, follow)
    return StreamingResponse(log, media_type="text/plain; charset=utf-8")


@router.post("/environments/{name}/build")
async def build(hub: TheHub, name: Reference) -> EnvironmentSummary:
    """Try a build that has failed again."""
    return hub.environments.build(name)


@router.delete("/environments/{name}")
async def delete(hub: TheHub, name: Reference) -> DeletedEnvironment:
    """Delete it, or one version of it, and free its disk."""
    return await hub.environments.delete(name)
