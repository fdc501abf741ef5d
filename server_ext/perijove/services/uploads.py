"""Models from outside: their files on the way in, and the MLmodel of those that have none."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from perijove.errors import Conflict, InvalidInput, NotFound
from perijove.models.names import check_relative_path

FORGOTTEN = 24 * 3600.0
"""Seconds after which files that were never registered are removed."""
FILES = 10_000
FLAVORS: dict[str, tuple[str, dict[str, Any], str]] = {
    "sklearn": ("pickled_model", {"serialization_format": "cloudpickle", "code": None}, "model"),
    "onnx": ("data", {"providers": ["CPUExecutionProvider"], "code": None}, "data"),
    "lightgbm": ("data", {"model_class": "lightgbm.basic.Booster", "code": None}, "data"),
    "xgboost": ("data", {"model_class": "xgboost.core.Booster", "code": None}, "data"),
    "catboost": ("data", {"model_type": "CatBoost", "save_format": "cbm"}, "data"),
}
"""Flavours of one file: where MLflow's loader looks for its name, what else it wants to know,
and what the python_function flavour calls it."""


class Uploads:
    """Sets of files, by ids that only who began them knows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def add(
        self, upload: str | None, path: str, offset: int, stream: AsyncIterator[bytes]
    ) -> tuple[str, list[str]]:
        """Append to a file, from `offset` on. The id, and all files so far.

        Raises
        ------
        InvalidInput: the path leaves its folder, or the set is too large.
        NotFound: there is no such set.
        Conflict: the file is not `offset` bytes long, so a piece is missing.
        """
        try:
            path = check_relative_path(path)
        except ValueError as error:
            raise InvalidInput(f"{path[:100]!r}: {error}.", field="path") from None
        if upload is None:
            await asyncio.to_thread(self._sweep)
            upload = uuid4().hex
            (self._folder / upload).mkdir(parents=True)
        root = self._root(upload)
        file = root / path
        if len(self.files(upload)) >= FILES:
            raise InvalidInput(f"A version has at most {FILES} files.", field="path")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            size = file.stat().st_size if file.exists() else 0
            if offset > size:
                raise Conflict(f"{path!r} has {size} bytes yet, not {offset}.", field="offset")
            with file.open("r+b" if file.exists() else "wb") as target:
                target.truncate(offset)
                target.seek(offset)
                async for piece in stream:
                    await asyncio.to_thread(target.write, piece)
        except (IsADirectoryError, NotADirectoryError, FileExistsError):
            raise InvalidInput(f"{path!r} is a folder and a file at once.", field="path") from None
        except OSError as error:
            raise InvalidInput(
                f"{path!r} cannot be kept: {error.strerror}.", field="path"
            ) from None
        return upload, [name for _, name in self.files(upload)]

    def files(self, upload: str) -> list[tuple[Path, str]]:
        """(file, path in the model) pairs."""
        root = self._root(upload)
        found = sorted(file for file in root.rglob("*") if file.is_file())
        return [(file, file.relative_to(root).as_posix()) for file in found]

    def complete(self, upload: str, flavor: str | None) -> list[tuple[Path, str]]:
        """The files with an MLmodel, if the flavour is one that it can be written for.

        Raises
        ------
        InvalidInput: there are no files, or no MLmodel can be written from what is known.
        """
        files = self.files(upload)
        if not files:
            raise InvalidInput("No files were brought in.", field="upload")
        tops = {name.partition("/")[0] for _, name in files}
        if len(tops) == 1 and any(name == f"{next(iter(tops))}/MLmodel" for _, name in files):
            # a model's folder as a whole: what counts is inside
            files = [(file, name.partition("/")[2]) for file, name in files]
        if any(name == "MLmodel" for _, name in files) or flavor is None:
            return files
        if flavor not in FLAVORS:
            raise InvalidInput(
                f"Files of flavour {flavor[:40]!r} need their own MLmodel file.",
                field="flavor",
                remedy="Leave the flavour out to register the files as they are; an MLmodel is "
                f"written for one file of: {', '.join(FLAVORS)}.",
            )
        models = [name for _, name in files if not re.search(r"\.(txt|md|ya?ml)$", name)] or [
            name for _, name in files
        ]
        if len(models) != 1:
            raise InvalidInput(
                f"Which of {len(models)} files is the {flavor} model cannot be known.",
                field="flavor",
                remedy="Bring one file, or an MLmodel beside them.",
            )
        written = self._folder / f"{upload}.MLmodel"
        written.write_text(_mlmodel(flavor, models[0]), "utf-8")
        return [*files, (written, "MLmodel")]

    def drop(self, upload: str) -> None:
        """Forget a set."""
        shutil.rmtree(self._root(upload), ignore_errors=True)
        (self._folder / f"{upload}.MLmodel").unlink(missing_ok=True)

    def _root(self, upload: str) -> Path:
        root = self._folder / upload
        if not re.fullmatch("[0-9a-f]{32}", upload) or not root.is_dir():
            raise NotFound(f"There are no uploads {upload[:40]!r}.", field="upload")
        return root

    def _sweep(self) -> None:
        with suppress(OSError):
            for old in self._folder.iterdir():
                if old.is_dir() and time.time() - old.stat().st_mtime > FORGOTTEN:
                    self.drop(old.name)


def _mlmodel(flavor: str, file: str) -> str:
    """No versions and no signature: nobody told them."""
    key, more, path = FLAVORS[flavor]
    if flavor == "sklearn" and file.endswith((".pkl", ".pickle")):
        more = more | {"serialization_format": "pickle"}
    function = {"loader_module": f"mlflow.{flavor}", "env": {}}
    function["model_path" if path == "model" else "data"] = file
    return yaml.safe_dump({"flavors": {flavor: {key: file} | more, "python_function": function}})
