"""Kernels on compute instances."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel

from perijove.hub.context import TheHub
from perijove.hub.routes.compute import TargetName
from perijove.models.environments import EnvironmentSummary
from perijove.models.kernels import HostedKernel, KernelId, KernelRequest, KernelSignal

router = APIRouter(tags=["kernels"])
Id = Annotated[KernelId, Path(description="a kernel's id")]


class Ended(BaseModel):
    kernel_id: str
    state: str = "ended"


class Signaled(BaseModel):
    kernel_id: str
    signum: int


@router.get("/compute/{name}/environments")
async def environments(hub: TheHub, name: TargetName) -> list[EnvironmentSummary]:
    """What kernels can run in there."""
    return await hub.kernels.environments(name)


@router.get("/compute/{name}/kernels")
async def list_kernels(hub: TheHub, name: TargetName) -> list[HostedKernel]:
    """The target's kernels, with CPU and memory; none if it is off."""
    return await hub.kernels.list(name)


@router.post("/compute/{name}/kernels", status_code=201)
async def start(hub: TheHub, name: TargetName, request: KernelRequest) -> HostedKernel:
    """Start a kernel, and the target first if it is off. Idempotent per kernel id."""
    return await hub.kernels.start(name, request)


@router.get("/kernels/{kernel_id}")
async def show(hub: TheHub, kernel_id: Id) -> HostedKernel:
    """A kernel, without CPU and memory."""
    return await hub.kernels.get(kernel_id)


@router.post("/kernels/{kernel_id}/signal")
async def signal(hub: TheHub, kernel_id: Id, wish: KernelSignal) -> Signaled:
    """Send a signal to its process group."""
    await hub.kernels.signal(kernel_id, wish.signum)
    return Signaled(kernel_id=kernel_id, signum=wish.signum)


@router.delete("/kernels/{kernel_id}")
async def end(hub: TheHub, kernel_id: Id) -> Ended:
    """End it with everything it started."""
    await hub.kernels.end(kernel_id)
    return Ended(kernel_id=kernel_id)
