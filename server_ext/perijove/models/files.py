"""Files of a compute instance, below its home folder."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema

from perijove.models.names import check_relative_path

FILE_BYTES = 256 * 1024 * 1024
"""The largest file that is shown or saved through JupyterLab."""


def _check(path: str) -> str:
    # the empty path is the home folder itself
    return "" if path in ("", ".") else check_relative_path(path)


FilePath = Annotated[
    str,
    AfterValidator(_check),
    WithJsonSchema({"type": "string", "maxLength": 4096, "pattern": r"^([A-Za-z0-9_]+/?)*$"}),
]


class FileType(StrEnum):
    FILE = "file"
    FOLDER = "folder"


class FileInfo(BaseModel):
    """A file or a folder."""

    path: str = Field(description="relative to the home folder; empty: that itself")
    type: FileType
    size: int | None = Field(default=None, description="bytes of a file")
    modified_at: datetime
    writable: bool = True


class FolderContent(FileInfo):
    """A file, or a folder with what is in it."""

    entries: list[FileInfo] | None = Field(default=None, description="of a folder, by name")


class NewFolder(BaseModel, extra="forbid"):
    path: FilePath


class Rename(BaseModel, extra="forbid"):
    path: FilePath
    to: FilePath
