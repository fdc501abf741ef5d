"""What can be known of a notebook without running it."""

from __future__ import annotations

from pydantic import BaseModel, Field, JsonValue

from perijove.models.names import RelativePath


class NotebookParameter(BaseModel):
    """A variable of the ``parameters`` cell, as papermill's inspection finds it."""

    name: str
    type: str = Field(description="int | float | str | bool | list | dict | None when unknown")
    default: JsonValue = Field(description="the default's value, or None when it is no literal")
    source: str = Field(description="the default as it stands in the cell")
    help: str = ""


class InspectRequest(BaseModel, extra="forbid"):
    path: RelativePath
    root: str = ""


class NotebookInspection(BaseModel):
    """What *Run on…* needs to make its form."""

    path: str
    parameters: list[NotebookParameter]
    has_parameters_cell: bool
    kernelspec: str | None
    language: str | None
    code_cells: int
    experiment: str = Field(description="the experiment a job would get by default")
    definition: dict[str, JsonValue] | None = Field(
        default=None, description="the saved run configuration beside it (<stem>.job.yaml)"
    )
