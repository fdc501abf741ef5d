"""MLflow's registered models, their versions and aliases, as the studio shows and changes them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema

from perijove.models.names import Name, Text
from perijove.models.problems import RuleError
from perijove.models.runs import Value

NAME_LENGTH = 1000
"""Characters of a model's name that is looked up: others may have made it, by rules of theirs."""
ALIAS = r"[A-Za-z][A-Za-z0-9_.-]{0,99}"


def check_alias(alias: str) -> str:
    """Raises RuleError: MLflow, or an address that it is in, does not take it."""
    if re.fullmatch(ALIAS, alias) is None:
        raise RuleError(
            f"an alias cannot be {alias[:100]!r}",
            "It is a letter, then letters, digits, '_', '.' or '-', at most 100 of them.",
        )
    return alias


AliasName = Annotated[
    str, AfterValidator(check_alias), WithJsonSchema({"type": "string", "pattern": f"^{ALIAS}$"})
]


class Alias(BaseModel):
    """A name that points at one version, and why it was last moved."""

    alias: str
    version: str
    reason: str | None = None
    moved_by: str | None = None
    moved_at: datetime | None = None


class RegisteredModel(BaseModel):
    """A registered model, with what a list says of it."""

    name: str
    description: str | None = Field(default=None, description="Markdown")
    tags: dict[str, str] = Field(default_factory=dict)
    aliases: list[Alias] = Field(default_factory=list)
    versions: int = Field(description="how many there are")
    latest_version: str | None = None
    archived: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None


class ModelVersion(BaseModel):
    """A version of a registered model."""

    name: str
    version: str
    description: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    aliases: list[str] = Field(default_factory=list)
    status: str = "READY"
    message: str | None = None
    archived: bool = False
    user: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    run_id: str | None = None
    run_name: str | None = None
    experiment_id: str | None = None
    model_id: str | None = None
    source: str | None = None
    metrics: dict[str, Value] = Field(default_factory=dict)
    params: dict[str, str] = Field(default_factory=dict)


class SignatureColumn(BaseModel):
    """An input or output of a model."""

    name: str | None = None
    type: str
    shape: list[int] | None = None
    required: bool = True


class ModelFacts(BaseModel):
    """What a version's MLmodel says, read as text: no model file is ever loaded."""

    flavors: dict[str, dict[str, Any]] = Field(default_factory=dict)
    inputs: list[SignatureColumn] = Field(default_factory=list)
    outputs: list[SignatureColumn] = Field(default_factory=list)
    parameters: list[SignatureColumn] = Field(default_factory=list)
    input_example: Any = None
    requirements: list[str] = Field(default_factory=list)
    python: str | None = None
    mlflow: str | None = None
    size: int | None = Field(default=None, description="bytes of all files")
    files: int | None = None
    warnings: list[str] = Field(
        default_factory=list, description="pickled files, a loader module that is not MLflow's …"
    )


class NewVersion(BaseModel, extra="forbid"):
    """A version to register: exactly one of `run_id` (with `path`), `model_id` and `upload`. Sent
    again under the id that the client made, it returns the first answer."""

    id: UUID = Field(default_factory=uuid4)
    name: Name
    run_id: str | None = None
    path: Text | None = Field(default=None, description="a folder or file among its artifacts")
    model_id: str | None = None
    upload: str | None = Field(default=None, description="the id of finished uploads")
    flavor: str | None = Field(default=None, description="of files that have no MLmodel")
    description: Text | None = None
    tags: dict[str, Text] = Field(default_factory=dict)
    alias: AliasName | None = None


class AliasMove(BaseModel, extra="forbid"):
    """Point an alias at a version. `expected` is the version it pointed at when the user looked
    (null: it did not exist); if it points elsewhere by now, the answer is 409."""

    version: str
    reason: Annotated[str, Field(max_length=500)] | None = None
    expected: str | None = None
    force: bool = Field(default=False, strict=True, description="whatever it points at now")


class VersionChange(BaseModel, extra="forbid"):
    """What to change; what is left out stays. A tag whose value is null is removed."""

    description: Text | None = None
    tags: dict[str, Text | None] = Field(
        default_factory=dict,
        json_schema_extra={"propertyNames": {"pattern": "^[A-Za-z][A-Za-z0-9_]{0,60}$"}},
    )
    archived: bool | None = None


class ModelChange(VersionChange):
    """The same of a model, which has a name, too."""

    name: Name | None = Field(default=None, description="a new name")


class Use(BaseModel):
    """Something that uses a model or a version."""

    kind: Literal["alias", "job", "endpoint", "schedule"]
    label: str
    ref: dict[str, str] = Field(default_factory=dict)
