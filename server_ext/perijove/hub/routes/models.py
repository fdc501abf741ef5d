"""MLflow's model registry. Names may hold anything, so they are in the query."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from perijove.hub.context import TheHub
from perijove.hub.fileresponse import file_response
from perijove.models.registry import (
    NAME_LENGTH,
    AliasMove,
    ModelChange,
    ModelFacts,
    ModelVersion,
    NewVersion,
    RegisteredModel,
    Use,
    VersionChange,
)
from perijove.models.runs import ArtifactPage, ArtifactPreview, Lineage

router = APIRouter(tags=["models"])
ModelName = Annotated[
    str, Query(min_length=1, max_length=NAME_LENGTH, description="a registered model's name")
]
VersionNumber = Annotated[str, Query(max_length=32, description="a version's number")]
# the patterns say in the document what good ones look like; others are refused, or are not there
AliasQuery = Annotated[
    str,
    Query(
        max_length=256,
        description="an alias",
        json_schema_extra={"pattern": r"^[A-Za-z][A-Za-z0-9_.-]{0,99}$"},
    ),
]
PATH = r"[A-Za-z0-9_-][A-Za-z0-9_. -]{0,60}"
FilePath = Annotated[
    str,
    Query(
        max_length=4096,
        description="below the version's files",
        json_schema_extra={"pattern": f"^({PATH}(/{PATH}){{0,4}})?$"},
    ),
]
ModelFilter = Annotated[
    str,
    Query(
        max_length=4000,
        description="MLflow's filter language",
        json_schema_extra={"pattern": r"^(name LIKE '[a-z%]*')?$"},
    ),
]
ZIP: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/zip": {}}, "description": "its files"}
}
BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "the file"}
}
BODY = {"requestBody": {"content": {"application/octet-stream": {}}, "required": True}}


class Upload(BaseModel):
    """Files on their way in: pass `upload` with each of them, and to the registration."""

    upload: str
    files: list[str]


class ModelDeleted(BaseModel):
    name: str
    version: str | None = None
    state: str = "deleted"


@router.get("/models")
async def list_models(
    hub: TheHub,
    filter: ModelFilter = "",
    archived: bool = False,
) -> list[RegisteredModel]:
    """The registered models, those changed last first."""
    return await hub.models.all(filter, archived)


@router.get("/model")
async def show(hub: TheHub, name: ModelName) -> RegisteredModel:
    """A registered model."""
    return await hub.models.get(name)


@router.patch("/model")
async def change(hub: TheHub, name: ModelName, wish: ModelChange) -> RegisteredModel:
    """Rename, describe, tag or archive it."""
    return await hub.models.change(name, wish)


@router.post("/model/delete")
async def delete(hub: TheHub, name: ModelName, force: bool = False) -> ModelDeleted:
    """Delete it with its versions. One that something uses is deleted with `force` only."""
    await hub.models.delete(name, force)
    return ModelDeleted(name=name)


@router.get("/model/uses")
async def uses(
    hub: TheHub, name: ModelName, version: Annotated[str | None, Query(max_length=32)] = None
) -> list[Use]:
    """What uses it."""
    return await hub.models.uses(name, version)


@router.get("/model/versions")
async def versions(hub: TheHub, name: ModelName) -> list[ModelVersion]:
    """Its versions, newest first."""
    return await hub.models.versions(name)


@router.post("/model/versions", status_code=201)
async def register(hub: TheHub, wish: NewVersion) -> ModelVersion:
    """Register a version; the model is made if there is none of that name."""
    return await hub.models.register(wish)


@router.get("/model/version")
async def show_version(hub: TheHub, name: ModelName, version: VersionNumber) -> ModelVersion:
    """A version, by its number or as `@alias`."""
    return await hub.models.version(name, version)


@router.patch("/model/version")
async def change_version(
    hub: TheHub, name: ModelName, version: VersionNumber, wish: VersionChange
) -> ModelVersion:
    """Describe, tag or archive it."""
    return await hub.models.change_version(name, version, wish)


@router.post("/model/version/delete")
async def delete_version(
    hub: TheHub, name: ModelName, version: VersionNumber, force: bool = False
) -> ModelDeleted:
    """Delete it. One that something uses is deleted with `force` only."""
    await hub.models.delete_version(name, version, force)
    return ModelDeleted(name=name, version=version)


@router.get("/model/version/facts")
async def facts(hub: TheHub, name: ModelName, version: VersionNumber) -> ModelFacts:
    """Its signature, input example, flavours and requirements, read as text."""
    return await hub.models.files.facts(name, version)


@router.get("/model/version/lineage")
async def lineage(hub: TheHub, name: ModelName, version: VersionNumber) -> Lineage:
    """Where it came from."""
    return await hub.models.lineage(name, version)


@router.get("/model/version/files")
async def files(
    hub: TheHub, name: ModelName, version: VersionNumber, path: FilePath = ""
) -> ArtifactPage:
    """One folder of its files."""
    return await hub.models.files.page(name, version, path)


@router.get("/model/version/preview")
async def preview(
    hub: TheHub, name: ModelName, version: VersionNumber, path: FilePath
) -> ArtifactPreview:
    """What can be shown of a file."""
    return await hub.models.files.preview(name, version, path)


@router.get("/model/version/file", responses=BYTES, response_class=StreamingResponse)
async def file(
    hub: TheHub, name: ModelName, version: VersionNumber, path: FilePath, download: bool = False
) -> StreamingResponse:
    """A file's bytes. Only images and plain text are shown by browsers; the rest is saved."""
    return file_response(await hub.models.files.file(name, version, path), None, download)


@router.get("/model/version/download", responses=ZIP, response_class=StreamingResponse)
async def download(hub: TheHub, name: ModelName, version: VersionNumber) -> StreamingResponse:
    """All its files, packed while they are sent."""
    file, pieces = await hub.models.files.download(name, version)
    return StreamingResponse(
        pieces,
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{file}"'},
    )


@router.put("/model/alias")
async def move_alias(
    hub: TheHub, name: ModelName, alias: AliasQuery, wish: AliasMove
) -> RegisteredModel:
    """Point an alias at a version."""
    return await hub.models.move_alias(name, alias, wish)


@router.delete("/model/alias")
async def remove_alias(
    hub: TheHub,
    name: ModelName,
    alias: AliasQuery,
    expected: Annotated[str | None, Query(max_length=32)] = None,
) -> RegisteredModel:
    """Remove an alias; with `expected` only if it still points there."""
    return await hub.models.remove_alias(name, alias, expected)


@router.post("/model/uploads", openapi_extra=BODY)
async def upload(
    hub: TheHub,
    request: Request,
    path: Annotated[
        str,
        Query(
            min_length=1,
            max_length=400,
            description="of the file, in the version",
            json_schema_extra={"pattern": f"^{PATH}$"},
        ),
    ],
    upload: Annotated[str | None, Query(max_length=64)] = None,
    offset: Annotated[int, Query(ge=0, description="where in the file the piece goes")] = 0,
) -> Upload:
    """Bring a file in, in pieces of at most 16 MiB: the body is the bytes. Without `upload` a new
    set of files begins."""
    made, files = await hub.models.upload(request.stream(), path, upload, offset)
    return Upload(upload=made, files=files)
