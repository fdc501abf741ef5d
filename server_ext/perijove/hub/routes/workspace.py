"""The workspace: its state, its parts, and its end."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from perijove.errors import Conflict
from perijove.hub.context import TheHub
from perijove.models.workspaces import HubStatus

router = APIRouter(tags=["workspace"])


class Shutdown(BaseModel, extra="forbid"):
    force: bool = Field(default=False, strict=True, description="cancel active jobs first")


class Listen(BaseModel, extra="forbid"):
    address: str | None = Field(max_length=300, description="an address of this machine[:port]")


class Listening(BaseModel):
    address: str | None


class Stopping(BaseModel):
    state: str = "stopping"
    canceled: list[str]


class TrackingUi(BaseModel):
    """Where MLflow's own UI is; `token` opens it once as ``/?token=``."""

    url: str
    embedded: bool


@router.get("/status")
async def status(hub: TheHub) -> HubStatus:
    """What runs, and how many jobs are in each state."""
    return await hub.status()


@router.post("/listen")
async def listen(hub: TheHub, wish: Listen) -> Listening:
    """Let nodes of other machines reach the hub, over TLS; without an address: no longer."""
    if wish.address is None:
        await hub.network.off()
        return Listening(address=None)
    return Listening(address=await hub.network.listen(wish.address))


@router.post("/shutdown")
async def shutdown(hub: TheHub, wish: Shutdown) -> Stopping:
    """End the hub, its zygote, its MLflow server the nodes of its clusters, and the kernels of
    this machine."""
    active = hub.jobs.store.active()
    if active and not wish.force:
        raise Conflict(
            f"{len(active)} jobs are active.",
            remedy="Wait for them, cancel them, or use --force, which cancels them.",
        )
    await hub.kernels.rest(wish.force)
    for job in active:
        await hub.jobs.cancel(job.id)
    for job in active:
        await hub.jobs.wait(job.id, timeout=30, until="terminal")
    await hub.compute.rest()
    hub.stop()
    return Stopping(canceled=[job.id for job in active])


@router.get("/tracking")
async def tracking(hub: TheHub) -> TrackingUi:
    """Where MLflow's own UI is."""
    return TrackingUi(url=hub.tracker.tracking_uri, embedded=hub.tracker.assigns_run_ids)
