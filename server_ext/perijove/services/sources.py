"""What a submission points at: found, read and checked before anything is stored."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perijove.errors import InvalidInput, NotebookUnreadable, NotFound
from perijove.models.jobs import JobKind
from perijove.models.names import check_name

NOTEBOOK_BYTES = 100 * 1024 * 1024
"""A larger notebook is refused: it would be held in memory several times over."""

SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""An escaped surrogate, paired or not."""


@dataclass(frozen=True)
class Source:
    """A notebook or script below its root, as it was when it was read."""

    kind: JobKind
    root: Path
    path: str
    content: bytes
    notebook: dict[str, Any] | None = None

    @property
    def file(self) -> Path:
        return self.root / self.path

    @property
    def stem(self) -> str:
        return self.file.stem

    @property
    def kernelspec(self) -> str | None:
        """The kernel the notebook names; of ``environment@instance`` the environment: where it
        runs is asked for elsewhere."""
        if self.notebook is None:
            return None
        name = self.notebook.get("metadata", {}).get("kernelspec", {}).get("name")
        return name.partition("@")[0] or None if isinstance(name, str) else None

    @property
    def language(self) -> str | None:
        if self.notebook is None:
            return "python"
        metadata = self.notebook.get("metadata", {})
        for part in (metadata.get("kernelspec", {}), metadata.get("language_info", {})):
            language = part.get("language") or part.get("name")
            if isinstance(language, str):
                return language
        return None

    @property
    def code_cells(self) -> int:
        if self.notebook is None:
            return 0
        return sum(cell["cell_type"] == "code" for cell in self.notebook["cells"])

    @property
    def experiment(self) -> str:
        """The one it passes to ``mlflow.set_experiment`` as a literal, else its stem.

        MLflow refuses to continue a run in another experiment than the one that was set, so a
        notebook that sets one must get its job's run there.
        """
        return self._set_experiment() or clean_name(self.stem)

    def _set_experiment(self) -> str | None:
        if self.notebook is None:
            cells = [self.content.decode("utf-8", "replace")]
        else:
            cells = [_text(c["source"]) for c in self.notebook["cells"] if c["cell_type"] == "code"]
        for cell in cells:
            if "set_experiment" not in cell:
                continue
            lines = [line for line in cell.splitlines() if not line.lstrip().startswith(("%", "!"))]
            try:
                tree = ast.parse("\n".join(lines))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            for node in ast.walk(tree):
                if (name := _experiment_of(node)) is not None:
                    try:
                        return check_name(name)
                    except ValueError:
                        return None
        return None


def _experiment_of(node: ast.AST) -> str | None:
    if not (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("set_experiment")):
        return None
    named = [k.value for k in node.keywords if k.arg == "experiment_name"]
    for value in [*node.args[:1], *named]:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
    return None


def clean_name(text: str) -> str:
    """A valid name as near to a file's stem as can be."""
    kept = "".join(c if c.isalnum() or c in "-_. ()+,=@" else "-" for c in text)
    return kept.strip(" .")[:128].strip() or "notebook"


def read_source(path: str, root: str) -> Source:
    """Find and read what a submission names.

    Raises
    ------
    NotFound: there is no such folder or file.
    InvalidInput: the path leaves the root, is no regular file, or neither ``.ipynb`` nor ``.py``.
    NotebookUnreadable: the file is no notebook of format 4 with at least one cell.
    """
    folder = Path(root)
    if not root or not folder.is_absolute() or "\0" in root or not folder.is_dir():
        raise NotFound(
            f"root must be an absolute path of an existing folder, not {root[:200]!r}.",
            field="root",
        )
    folder = folder.resolve()
    file = folder / path
    content = _read(file, folder, path)
    if file.suffix == ".py":
        return Source(JobKind.SCRIPT, folder, path, content)
    if file.suffix == ".ipynb":
        return Source(JobKind.NOTEBOOK, folder, path, content, parse_notebook(content, path))
    raise InvalidInput(f"{path} must be a notebook (.ipynb) or a script (.py).", field="path")


def _read(file: Path, folder: Path, path: str) -> bytes:
    try:
        real = file.resolve(strict=True)
    except (OSError, RuntimeError):
        raise NotFound(
            f"{path} does not exist in {folder}.", field="path", remedy="Check the path."
        ) from None
    if not real.is_relative_to(folder):
        raise InvalidInput(f"{path} leads out of {folder}.", field="path")
    try:
        # O_NONBLOCK: opening a FIFO must not wait for somebody to write into it
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.", field="path") from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidInput(f"{path} must be a regular file.", field="path")
        if found.st_size > NOTEBOOK_BYTES:
            raise InvalidInput(
                f"{path} must have at most {NOTEBOOK_BYTES >> 20} MiB "
                f"(it has {found.st_size >> 20}).",
                field="path",
                remedy="Clear its outputs.",
            )
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return stream.read(NOTEBOOK_BYTES + 1)
    finally:
        os.close(descriptor)


def parse_notebook(content: bytes, path: str) -> dict[str, Any]:
    """A notebook's JSON, checked as far as running it needs."""
    try:
        notebook = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        what, remedy = _instead(content) or (f"it is not valid JSON ({error})", None)
        raise NotebookUnreadable(
            f"{path} is no notebook: {what}.", field="path", remedy=remedy
        ) from None
    if not isinstance(notebook, dict) or "nbformat" not in notebook:
        raise NotebookUnreadable(
            f"{path} is no notebook: it must be a JSON object with an nbformat.", field="path"
        )
    version = notebook["nbformat"]
    if version != 4:
        raise NotebookUnreadable(
            f"{path} has nbformat {version!r}; only format 4 can be run.",
            field="path",
            remedy="Convert it with: jupyter nbconvert --to notebook --nbformat 4 "
            + shlex.quote(Path(path).name)
            if version in (1, 2, 3)
            else "Save it with a current JupyterLab.",
        )
    minor = notebook.get("nbformat_minor")
    if type(minor) is not int or minor < 0:
        raise NotebookUnreadable(
            f"{path} must have a whole number as nbformat_minor.",
            field="path",
            remedy="Save it with a current JupyterLab.",
        )
    _check_cells(notebook, path)
    _check_unicode(content, notebook, path)
    return notebook


def _instead(content: bytes) -> tuple[str, str] | None:
    """What a file that is no JSON is, as far as its look tells, and what to do about it."""
    if not content.strip():
        return "it is empty", "Save it again."
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return "it is not plain UTF-8", "Save it as UTF-8 without a byte order mark."
    if content.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS", "Fetch the file itself: git lfs pull."
    if re.search(rb"^<<<<<<< ", content, re.MULTILINE):
        return "it has the marks of a merge conflict", "Resolve it first: nbdime mergetool."
    if content.lstrip().startswith(b"<"):
        return "it is a web page", "Download the notebook itself (on GitHub: Raw)."
    return None


def _check_cells(notebook: dict[str, Any], path: str) -> None:
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not cells:
        raise NotebookUnreadable(f"{path} must have at least one cell.", field="path")
    for number, cell in enumerate(cells, 1):
        if (
            not isinstance(cell, dict)
            or cell.get("cell_type") not in ("code", "markdown", "raw")
            or not _is_text(cell.get("source"))
            or not isinstance(cell.get("metadata"), dict)
        ):
            raise NotebookUnreadable(
                f"Cell {number} of {path} must have a cell_type of code, markdown or raw, "
                "a source text, and an object as metadata.",
                field="path",
            )
        if cell["cell_type"] == "code" and not isinstance(cell.get("outputs", []), list):
            raise NotebookUnreadable(
                f"Cell {number} of {path} must have a list of outputs.", field="path"
            )
    if not isinstance(notebook.get("metadata", {}), dict):
        raise NotebookUnreadable(f"The metadata of {path} must be an object.", field="path")
    for part in ("kernelspec", "language_info"):
        if not isinstance(notebook.get("metadata", {}).get(part, {}), dict):
            raise NotebookUnreadable(f"metadata.{part} of {path} must be an object.", field="path")


def _check_unicode(content: bytes, notebook: dict[str, Any], path: str) -> None:
    if SURROGATE.search(content) is None:
        return  # the common case: nothing to look at closely
    for number, cell in enumerate(notebook["cells"], 1):
        try:
            _text(cell["source"]).encode("utf-8")
        except UnicodeEncodeError:
            raise NotebookUnreadable(
                f"Cell {number} of {path} contains a lone surrogate, which is no valid text.",
                field="path",
                remedy="Type that character again and save the notebook.",
            ) from None
    try:
        json.dumps(notebook, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise NotebookUnreadable(
            f"{path} contains a lone surrogate in its outputs or metadata.",
            field="path",
            remedy="Clear its outputs and save it.",
        ) from None


def _is_text(source: object) -> bool:
    return isinstance(source, str) or (
        isinstance(source, list) and all(isinstance(line, str) for line in source)
    )


def _text(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)
