"""Notebooks before they run: what they ask for, and the run configuration beside them."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from perijove.hub.context import TheHub
from perijove.models.jobs import JobDefinition
from perijove.models.notebooks import InspectRequest, NotebookInspection

router = APIRouter(tags=["notebooks"])


class SavedDefinition(BaseModel):
    path: str


@router.post("/notebooks/inspect")
async def inspect(hub: TheHub, request: InspectRequest) -> NotebookInspection:
    """Its parameters with types and notes, its kernel, its saved run configuration."""
    return await hub.notebooks.inspect(request.path, request.root)


@router.post("/definitions", status_code=201)
async def save_definition(hub: TheHub, definition: JobDefinition) -> SavedDefinition:
    """Write the run configuration ``<stem>.job.yaml`` beside the notebook."""
    return SavedDefinition(path=hub.notebooks.save_definition(definition))
