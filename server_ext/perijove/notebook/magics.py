"""``%perijove NOUN VERB …`` is the command line's own parser; ``%%perijove job …`` runs a cell."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any
from uuid import uuid4

import nbformat
from IPython.core.magic import Magics, line_cell_magic, magics_class

from perijove.cli.app import run
from perijove.cli.job import submit
from perijove.cli.parameters import collect
from perijove.client.discovery import workspace_folder
from perijove.client.jobs import Job
from perijove.client.workspace import Workspace
from perijove.errors import InvalidInput, PerijoveError


@magics_class
class PerijoveMagics(Magics):
    """The magics of ``%load_ext perijove``."""

    @line_cell_magic
    def perijove(self, line: str, cell: str | None = None) -> Any:
        """Run a command; with a cell, run the cell as a job.

        ``%perijove job list`` — ``%%perijove job --experiment churn -p lr=0.1``
        """
        try:
            words = shlex.split(line)
        except ValueError as error:
            print(f"Error: {error}")
            return None
        if cell is None:
            run(words)
            return None
        try:
            return self._submit(words, cell)
        except PerijoveError as error:
            print(f"Error: {error}")
            return None

    def _submit(self, words: list[str], cell: str) -> Job:
        if not words or words[0] != "job":
            raise InvalidInput("A cell is run with %%perijove job OPTIONS.", field="magic")
        options = words[2:] if words[1:2] == ["submit"] else words[1:]
        # the options of `job submit`, parsed by its own parser
        given = submit.make_context("%%perijove job", list(options)).params
        parameters = collect(given["typed"], given["raw"], given["yaml"], given["encoded"])
        workspace = Workspace(given["workspace"])
        fields = {
            key: given[key]
            for key in ("name", "compute", "experiment", "environment", "timeout", "retries")
            if given[key] is not None
        }
        path = _as_notebook(cell, parameters)
        fields.setdefault("name", "cell")
        fields.setdefault("experiment", Path.cwd().name or "cells")
        try:
            job = workspace.jobs.submit(path, parameters, **fields)
        finally:
            path.unlink(missing_ok=True)  # the job has its snapshot
        if given["wait_for_it"]:
            job.wait()
        return job


def _as_notebook(cell: str, parameters: dict[str, Any]) -> Path:
    """The cell as a notebook in the current folder, so that it finds the files beside it."""
    cells = [nbformat.v4.new_code_cell(cell)]
    if parameters:
        cells.insert(0, nbformat.v4.new_code_cell("", metadata={"tags": ["parameters"]}))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    folder = Path.cwd()
    if not os.access(folder, os.W_OK):
        folder = workspace_folder().root / "cells"
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".cell-{uuid4().hex[:8]}.ipynb"
    nbformat.write(notebook, path)
    return path


def register(shell: Any) -> None:
    """Give the shell our magics."""
    shell.register_magics(PerijoveMagics)
