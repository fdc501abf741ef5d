"""MLflow's experiments, as the studio shows and changes them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID, uuid4

from pydantic import BaseModel, Field

from perijove.models.names import Name, NewTags, TagChanges, Text, ViewName


class Lifecycle(StrEnum):
    """MLflow's lifecycle stage; deleting is soft."""

    ACTIVE = "active"
    DELETED = "deleted"


class View(StrEnum):
    """Which ones a list shows."""

    ACTIVE = "active"
    DELETED = "deleted"
    ALL = "all"


class Experiment(BaseModel):
    """An experiment of MLflow's, with what a list says of it."""

    id: str
    name: str
    lifecycle_stage: Lifecycle = Lifecycle.ACTIVE
    description: str | None = Field(default=None, description="Markdown; mlflow.note.content")
    tags: dict[str, str] = Field(default_factory=dict)
    artifact_location: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    runs: int | None = Field(default=None, description="active runs; None: not counted")
    running: int | None = Field(default=None, description="active runs of status RUNNING")
    last_run_at: datetime | None = None


class NewExperiment(BaseModel, extra="forbid"):
    """An experiment to create. Sent again under the id that the client made, it returns the first
    answer."""

    id: UUID = Field(default_factory=uuid4)
    name: Name
    description: Text | None = None
    tags: NewTags = Field(default_factory=dict)


class ExperimentChange(BaseModel, extra="forbid"):
    """What to change; what is left out stays. A tag whose value is null is removed."""

    name: Name | None = None
    description: Text | None = None
    tags: TagChanges = Field(default_factory=dict)


class RunsView(BaseModel, extra="forbid"):
    """How a runs document shows an experiment: saved under a name, as a tag of the experiment."""

    name: ViewName
    filter: Annotated[str, Field(max_length=4000)] = ""
    order_by: list[str] = Field(default_factory=list, max_length=10)
    columns: list[str] | None = Field(
        default=None,
        max_length=500,
        description="`metrics.x`, `params.y`, `tags.z` …",
    )
    widths: dict[str, Annotated[int, Field(strict=True)]] = Field(
        default_factory=dict, description="pixels, by column"
    )
    group_by: str | None = Field(default=None, description="a column: its values make groups")
    view: View = View.ACTIVE


class ViewChange(BaseModel, extra="forbid"):
    """What to change of a saved view."""

    name: ViewName
