"""Files of compute instances, below their home folder."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from perijove.hub.context import TheHub
from perijove.hub.routes.compute import TargetName
from perijove.models.files import FileInfo, FilePath, FolderContent, NewFolder, Rename

router = APIRouter(tags=["files"])
ThePath = Annotated[FilePath, Query(description="relative to the home folder")]
BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "the file"}
}
BODY = {"requestBody": {"content": {"application/octet-stream": {}}, "required": True}}


class DeletedFile(BaseModel):
    path: str
    state: str = "deleted"


@router.get("/compute/{name}/files")
async def show(hub: TheHub, name: TargetName, path: ThePath = "") -> FolderContent:
    """A file, or a folder with what is in it."""
    return await hub.files.show(name, path)


@router.get("/compute/{name}/files/content", responses=BYTES, response_class=Response)
async def read(hub: TheHub, name: TargetName, path: ThePath) -> Response:
    """A file's content."""
    data = await hub.files.read(name, path)
    return Response(data, media_type="application/octet-stream")


@router.put("/compute/{name}/files/content", openapi_extra=BODY)
async def write(hub: TheHub, name: TargetName, path: ThePath, request: Request) -> FileInfo:
    """Make or replace a file, all of it or nothing."""
    return await hub.files.write(name, path, await request.body())


@router.post("/compute/{name}/files/folder", status_code=201)
async def mkdir(hub: TheHub, name: TargetName, wish: NewFolder) -> FileInfo:
    """Make a folder."""
    return await hub.files.mkdir(name, wish.path)


@router.post("/compute/{name}/files/rename")
async def rename(hub: TheHub, name: TargetName, wish: Rename) -> FileInfo:
    """Give it another name or place; what is there already is not replaced."""
    return await hub.files.rename(name, wish.path, wish.to)


@router.delete("/compute/{name}/files")
async def delete(hub: TheHub, name: TargetName, path: ThePath) -> DeletedFile:
    """Remove a file or an empty folder."""
    await hub.files.delete(name, path)
    return DeletedFile(path=path)
