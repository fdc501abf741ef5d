"""MLflow's runs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import Response, StreamingResponse

from perijove.hub.context import TheHub
from perijove.hub.fileresponse import file_response, wanted_range
from perijove.models.runs import (
    ArtifactPage,
    ArtifactPreview,
    HistoryWish,
    Lineage,
    NotebookDiff,
    Run,
    RunChange,
    RunExport,
    RunPage,
    RunsDone,
    RunSearch,
    RunSeries,
    RunsWish,
)

router = APIRouter(tags=["runs"])
RunId = Annotated[str, Path(max_length=64, description="a run's id, or how it starts")]
ArtifactPath = Annotated[str, Query(max_length=4096, description="below the run's artifacts")]
BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "the file"}
}
CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {}}, "description": "a line of names, then one for each run"}
}


@router.post("/runs/search", response_model=RunPage)
async def search(hub: TheHub, question: RunSearch) -> Response:
    """Runs that a filter is true of, in order."""
    return Response(await hub.runs.search(question), media_type="application/json")


@router.post("/runs/csv", responses=CSV, response_class=StreamingResponse)
async def export(hub: TheHub, question: RunExport) -> StreamingResponse:
    """The same as a table: all of them, unless `limit` says how many."""
    return StreamingResponse(await hub.runs.csv(question), media_type="text/csv; charset=utf-8")


@router.post("/runs/history", response_model=list[RunSeries])
async def history(hub: TheHub, wish: HistoryWish) -> Response:
    """Histories of metrics, thinned, or what came since a cursor."""
    return Response(await hub.runs.history(wish), media_type="application/json")


@router.post("/runs/delete")
async def delete(hub: TheHub, wish: RunsWish) -> RunsDone:
    """Delete runs; they can be restored."""
    return await hub.runs.delete(wish.run_ids)


@router.post("/runs/restore")
async def restore(hub: TheHub, wish: RunsWish) -> RunsDone:
    """Bring deleted runs back."""
    return await hub.runs.restore(wish.run_ids)


@router.get("/runs/notebook-diff")
async def notebook_diff(
    hub: TheHub,
    left: Annotated[str, Query(min_length=1, max_length=64)],
    right: Annotated[str, Query(min_length=1, max_length=64)],
) -> NotebookDiff:
    """What differs between the executed notebooks of two runs."""
    return await hub.runs.files.notebook_diff(left, right)


@router.get("/runs/{run_id}")
async def show(hub: TheHub, run_id: RunId) -> Run:
    """A run."""
    return await hub.runs.get(run_id)


@router.patch("/runs/{run_id}")
async def change(hub: TheHub, run_id: RunId, wish: RunChange) -> Run:
    """Rename, describe or tag it."""
    return await hub.runs.change(run_id, wish)


@router.get("/runs/{run_id}/lineage")
async def lineage(hub: TheHub, run_id: RunId) -> Lineage:
    """Its data, its source, its models and their versions."""
    return await hub.runs.lineage(run_id)


@router.get("/runs/{run_id}/artifacts")
async def artifacts(
    hub: TheHub,
    run_id: RunId,
    path: ArtifactPath = "",
    page: Annotated[str | None, Query(max_length=4096)] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> ArtifactPage:
    """One folder of its artifacts, folders first."""
    return await hub.runs.files.list(run_id, path, page, limit)


@router.get("/runs/{run_id}/artifacts/preview")
async def preview(hub: TheHub, run_id: RunId, path: ArtifactPath) -> ArtifactPreview:
    """What can be shown of a file."""
    return await hub.runs.files.preview(run_id, path)


@router.get("/runs/{run_id}/artifacts/file", responses=BYTES, response_class=StreamingResponse)
async def file(
    hub: TheHub,
    run_id: RunId,
    path: ArtifactPath,
    download: bool = False,
    range: Annotated[str | None, Header(max_length=200, include_in_schema=False)] = None,
) -> StreamingResponse:
    """A file's bytes. Only images and plain text are shown by browsers; the rest is saved."""
    start, end = wanted_range(range)
    return file_response(await hub.runs.files.open(run_id, path, start, end), range, download)
