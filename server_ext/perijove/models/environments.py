"""Environments: what a user asks for, what everybody sees, and what a build leaves in its folder.

An environment that Perijove builds has versions, numbered from 1, whose content never changes. It
is built in a folder that is named after the digest of that content::

    content.json   EnvironmentContent, written by whoever wants it built
    lock           flock'ed by the process that builds it
    process.json   RunnerProcess, who has the lock
    build.log      what the build has said
    venv/          the environment, of no use before there is
    done.json      BuildResult, written last;  or failed.json, a BuildFailure
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from perijove.errors import InvalidInput
from perijove.models.definitions import load_yaml
from perijove.models.names import check_text

BASE = "base"
"""The hub's own Python: always there, always version 1."""
BASE_KERNEL = f"{BASE}.1"
"""The name of its kernelspec."""
TEXT_LENGTH = 200_000
NAME = r"^[a-z][a-z0-9_-]{1,39}$"
PYTHON = r"^3\.\d{1,2}(\.\d{1,2})?$"
CONTENT, BUILD_LOCK, BUILD_PROCESS, BUILD_LOG, VENV, DONE, FAILED, WHEELS = (
    "content.json",
    "lock",
    "process.json",
    "build.log",
    "venv",
    "done.json",
    "failed.json",
    "wheels",
)
_BESIDE = re.compile(r"^\s*(-[rce]\b|--(requirement|constraint|editable)\b|\.{1,2}/)")
_CONDA_PYTHON = re.compile(r"^python\s*={1,2}\s*(3\.\d{1,2})\b")


class SourceKind(StrEnum):
    """What kind of file lists the packages."""

    REQUIREMENTS = "requirements"
    PYPROJECT = "pyproject"
    CONDA = "conda"


class EnvironmentKind(StrEnum):
    """Where an environment comes from."""

    BASE = "base"
    BUILT = "built"
    KERNELSPEC = "kernelspec"


class EnvironmentState(StrEnum):
    """Where an environment is in its life."""

    QUEUED = "queued"
    BUILDING = "building"
    READY = "ready"
    FAILED = "failed"

    @property
    def settled(self) -> bool:
        """Is its build over?"""
        return self in (EnvironmentState.READY, EnvironmentState.FAILED)


def _check_environment_name(name: str) -> str:
    if not re.fullmatch(NAME[1:-1], name):
        raise ValueError(
            "an environment's name must be 2 to 40 lower-case letters, digits, '-' or '_', "
            "a letter first"
        )
    return name


def _check_python(version: str) -> str:
    if not re.fullmatch(PYTHON[1:-1], version):
        raise ValueError("a Python version must look like 3.12 or 3.12.1")
    return version


class EnvironmentContent(BaseModel):
    """All that decides what is built."""

    source: SourceKind
    text: str
    python: str = Field(description="its Python's version, for example 3.12")

    @property
    def digest(self) -> str:
        """Equal for contents that build the same: 16 hexadecimal digits."""
        content = json.dumps([self.source, self.text, self.python])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


class EnvironmentDefinition(BaseModel):
    """An environment as it is asked for: the text of a file that lists packages."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[
        str,
        AfterValidator(_check_environment_name),
        WithJsonSchema({"type": "string", "pattern": NAME}),
    ]
    source: SourceKind
    text: Annotated[str, WithJsonSchema({"type": "string", "maxLength": TEXT_LENGTH})] = Field(
        description="requirements.txt, pyproject.toml or a conda environment file, as it is"
    )
    python: (
        Annotated[
            str,
            AfterValidator(_check_python),
            WithJsonSchema({"type": "string", "pattern": PYTHON}),
        ]
        | None
    ) = Field(default=None, description="for example 3.12; default: the hub's own")

    @field_validator("text")
    @classmethod
    def _readable(cls, text: str, info: ValidationInfo) -> str:
        if len(text) > TEXT_LENGTH:
            raise ValueError(f"the file must have at most {TEXT_LENGTH} characters")
        text = "\n".join(check_text(text).splitlines()) + "\n"
        if not any(line.strip() and not line.strip().startswith("#") for line in text.split("\n")):
            raise ValueError("the file is empty")
        source = info.data.get("source")
        if source is SourceKind.PYPROJECT:
            read_pyproject(text)
        elif source is SourceKind.CONDA:
            read_conda(text)
        elif source is SourceKind.REQUIREMENTS:
            _check_requirements(text.splitlines())
        return text

    def content(self, python: str) -> EnvironmentContent:
        """What is to be built; `python` is the version where none is asked for."""
        own = read_conda(self.text).python if self.source is SourceKind.CONDA else None
        return EnvironmentContent(
            source=self.source, text=self.text, python=self.python or own or python
        )


class CondaFile(BaseModel):
    """A conda environment file: its pip part, conda's own packages, the Python among them."""

    pip: list[str]
    conda: list[str]
    python: str | None


def read_conda(text: str) -> CondaFile:
    """The parts of a conda environment file.

    Raises
    ------
    ValueError: it is none; the message names the rule.
    """
    try:
        data = load_yaml(text, "conda file")
    except InvalidInput as error:
        raise ValueError(str(error)) from None
    listed = data.get("dependencies") if isinstance(data, dict) else None
    if not isinstance(listed, list) or not listed:
        raise ValueError("a conda file must have a list of dependencies")
    parts = [item["pip"] for item in listed if isinstance(item, dict) and set(item) == {"pip"}]
    conda = [item for item in listed if isinstance(item, str)]
    lines = [line for part in parts if isinstance(part, list) for line in part]
    if len(parts) + len(conda) != len(listed) or not all(isinstance(line, str) for line in lines):
        raise ValueError("the dependencies of a conda file must be texts, and one list named pip")
    _check_requirements(lines)
    found = next(filter(None, map(_CONDA_PYTHON.match, conda)), None)
    return CondaFile(pip=lines, conda=conda, python=found[1] if found else None)


def _check_requirements(lines: list[str]) -> None:
    for number, line in enumerate(lines, 1):
        if _BESIDE.match(line):
            raise ValueError(
                f"line {number} ({line.strip()[:80]}) names a file that is not sent along: "
                "the list must be complete in itself"
            )


def read_pyproject(text: str) -> list[str]:
    """The dependencies of a project.

    Raises
    ------
    ValueError: it is no pyproject.toml, or has none; the message names the rule.
    """
    try:
        project: Any = tomllib.loads(text).get("project")
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"pyproject.toml is no valid TOML: {error}") from None
    if not isinstance(project, dict) or not isinstance(project.get("name"), str):
        raise ValueError("pyproject.toml must have a [project] table with a name")
    listed = project.get("dependencies")
    if not isinstance(listed, list) or not all(isinstance(line, str) for line in listed):
        raise ValueError("pyproject.toml must have a list of dependencies in its [project] table")
    return listed


class BuildResult(BaseModel):
    """A build that is complete."""

    python: str = Field(description="absolute path of the environment's interpreter")
    version: str = Field(description="its Python's full version")
    size: int = Field(description="bytes on disk, those shared with uv's cache included")
    warning: str | None = None


class BuildFailure(BaseModel):
    """Why a build failed."""

    message: str


class StoredEnvironment(BaseModel):
    """A version of a built environment, as the control database has it."""

    name: str
    version: int
    digest: str
    source: SourceKind
    text: str
    python: str
    state: EnvironmentState
    message: str | None = None
    size: int | None = None
    created_at: datetime
    created_by: str
    built_at: datetime | None = None
    deleted: bool = False

    @property
    def reference(self) -> str:
        """``name:version``."""
        return f"{self.name}:{self.version}"

    @property
    def content(self) -> EnvironmentContent:
        """What is built."""
        return EnvironmentContent(source=self.source, text=self.text, python=self.python)


class EnvironmentSummary(BaseModel):
    """An environment that jobs can run in: built, a kernelspec, or the hub's own Python."""

    name: str
    display_name: str
    language: str
    warm: bool = Field(description="its kernels are forked from a warm process")
    interrupt_mode: str = Field(default="signal", description="signal | message")
    kind: EnvironmentKind = EnvironmentKind.KERNELSPEC
    version: int | None = Field(default=None, description="None: it has no versions")
    reference: str = Field(default="", description="name:version, or a kernelspec's name")
    state: EnvironmentState = EnvironmentState.READY
    message: str | None = Field(
        default=None, description="why its build failed, or what it left out"
    )
    interpreter: str | None = Field(
        default=None, description="absolute path of its Python on the hub's machine"
    )
    python: str | None = Field(default=None, description="the version of its Python")
    source: SourceKind | None = None
    digest: str | None = None
    size: int | None = Field(default=None, description="bytes on disk")
    created_at: datetime | None = None
    created_by: str | None = None
    built_at: datetime | None = None


class EnvironmentDetails(EnvironmentSummary):
    """An environment with what it is made from."""

    text: str | None = Field(default=None, description="the file that lists its packages")
    versions: list[EnvironmentSummary] = Field(
        default_factory=list, description="all of its versions, the newest first"
    )


class DeletedEnvironment(BaseModel):
    """What a deletion removed."""

    name: str
    state: str = "deleted"
    versions: list[int]
    freed_bytes: int
