"""Jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, Field

from perijove.hub.context import TheHub
from perijove.hub.streams import follow_events, follow_log
from perijove.models.jobs import (
    DryRun,
    Job,
    JobFile,
    JobState,
    JobSubmission,
    MetricPoint,
    PruneReport,
    Rerun,
)
from perijove.services.files import find_file, list_files

router = APIRouter(tags=["jobs"])
JobId = Annotated[str, Path(max_length=64, description="a job's id, or how it starts")]
Responses = dict[int | str, dict[str, Any]]
NDJSON: Responses = {
    200: {"content": {"application/x-ndjson": {}}, "description": "a JobEvent a line"}
}
PLAIN: Responses = {200: {"content": {"text/plain": {}}, "description": "the log"}}
BYTES: Responses = {200: {"content": {"application/octet-stream": {}}, "description": "the file"}}


class Prune(BaseModel, extra="forbid"):
    older_than_seconds: float = Field(strict=True, ge=0, le=10**10, allow_inf_nan=False)
    dry_run: bool = Field(default=False, strict=True)


@router.post("/jobs", status_code=201, responses={200: {"model": Job | DryRun}})
async def submit(
    hub: TheHub, submission: JobSubmission, response: Response, dry_run: bool = False
) -> Job | DryRun:
    """Store a job. An id that is known returns its job; a dry run stores nothing."""
    if dry_run:
        response.status_code = 200
        return await hub.jobs.dry_run(submission)
    job, new = await hub.jobs.submit(submission)
    response.status_code = 201 if new else 200
    return job


@router.get("/jobs")
async def list_jobs(
    hub: TheHub,
    state: Annotated[list[JobState] | None, Query()] = None,
    experiment: Annotated[str | None, Query(max_length=256)] = None,
    name: Annotated[str | None, Query(max_length=256)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    before: Annotated[str | None, Query(max_length=64)] = None,
) -> list[Job]:
    """Jobs, newest first."""
    return hub.jobs.store.page(
        states=state or (), experiment=experiment, name=name, limit=limit, before=before
    )


@router.get("/jobs/{job_id}")
async def show(hub: TheHub, job_id: JobId) -> Job:
    """A job."""
    return hub.jobs.get(job_id)


@router.get("/jobs/{job_id}/wait")
async def wait(
    hub: TheHub,
    job_id: JobId,
    timeout: Annotated[float, Query(ge=0, le=300, allow_inf_nan=False)] = 30,
    until: Literal["terminal", "recorded"] = "terminal",
) -> Job:
    """The job once it is over (and in MLflow), or as it is after `timeout` seconds."""
    return await hub.jobs.wait(job_id, timeout, until)


@router.post("/jobs/{job_id}/cancel")
async def cancel(hub: TheHub, job_id: JobId) -> Job:
    """Wish it canceled."""
    return await hub.jobs.cancel(job_id)


@router.post("/jobs/{job_id}/rerun", status_code=201)
async def rerun(hub: TheHub, job_id: JobId, rerun: Rerun) -> Job:
    """Run its snapshot again, with some parameters changed."""
    return await hub.jobs.rerun(job_id, rerun)


@router.delete("/jobs/{job_id}")
async def delete(hub: TheHub, job_id: JobId) -> PruneReport:
    """Delete it and its files; its MLflow run stays."""
    return await hub.jobs.delete(job_id)


@router.post("/prune")
async def prune(hub: TheHub, wish: Prune) -> PruneReport:
    """Delete jobs that ended long ago; their MLflow runs stay."""
    return await hub.jobs.prune(wish.older_than_seconds, wish.dry_run)


@router.get("/jobs/{job_id}/events", responses=NDJSON, response_class=StreamingResponse)
async def job_events(
    hub: TheHub,
    job_id: JobId,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    follow: bool = False,
) -> StreamingResponse:
    """Its events after a number; with `follow` until it is over and recorded."""
    job = hub.jobs.get(job_id)

    async def lines() -> AsyncIterator[str]:
        async for batch in follow_events(hub, job.id, after, follow):
            yield "".join(f"{line}\n" for line in batch) or "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


@router.get("/jobs/{job_id}/log", responses=PLAIN, response_class=StreamingResponse)
async def job_log(hub: TheHub, job_id: JobId, follow: bool = False) -> StreamingResponse:
    """Its log as text; with `follow` until it is over."""
    job = hub.jobs.get(job_id)
    return StreamingResponse(
        follow_log(hub, job.id, follow), media_type="text/plain; charset=utf-8"
    )


@router.get("/jobs/{job_id}/files")
async def files(hub: TheHub, job_id: JobId) -> list[JobFile]:
    """Its files."""
    return list_files(hub.folder, hub.jobs.get(job_id))


@router.get("/jobs/{job_id}/files/{path:path}", responses=BYTES, response_class=FileResponse)
async def file(
    hub: TheHub, job_id: JobId, path: Annotated[str, Path(max_length=4096)]
) -> FileResponse:
    """One of its files."""
    found = find_file(hub.folder, hub.jobs.get(job_id), path)
    return FileResponse(
        found, headers={"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
    )


@router.get("/jobs/{job_id}/metrics")
async def metrics(hub: TheHub, job_id: JobId) -> dict[str, list[MetricPoint]]:
    """Every metric of its run, in step order."""
    job = hub.jobs.get(job_id)
    return await hub.tracker.metrics(job.run_id) if job.run_id else {}
