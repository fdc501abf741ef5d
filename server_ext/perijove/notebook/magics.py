"""``%perijove NOUN VERB …`` is the command line's own parser; ``%%perijove job …`` runs a cell."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import nbformat
from IPython.core.magic import Magics, line_cell_magic, magics_class

from perijove.cli.job import define, submit
from perijove.cli.output import caught
from perijove.cli.parameters import collect
from perijove.cli.program import guarded, run
from perijove.client.discovery import workspace_folder
from perijove.client.jobs import Job
from perijove.client.workspace import Workspace
from perijove.errors import InvalidInput
from perijove.notebook.completion import LINE, complete
from perijove.notebook.shown import OPTION, widget

if TYPE_CHECKING:
    from perijove.notebook.widgets import PerijoveWidget

NOT_OF_CELLS = {
    "path": "A PATH",
    "file": "-f",
    "save": "--save",
    "dry_run": "--dry-run",
    "as_json": "--json",
}
"""Options of `job submit` that a cell cannot have."""


@magics_class
class PerijoveMagics(Magics):
    """The magics of ``%load_ext perijove``."""

    @line_cell_magic
    def perijove(self, line: str, cell: str | None = None) -> Any:
        """Run a command; with a cell, run the cell as a job.

        ``%perijove job list`` — ``%%perijove job --experiment churn -p lr=0.1``

        Lists of experiments, runs and models, and comparisons of runs, are DataFrames:
        ``best = %perijove run list churn``. Lists of jobs, compute targets and environments are
        the SDK's. ``%perijove run list churn --widget`` is a widget.
        """
        try:
            words = shlex.split(line)
        except ValueError as error:
            print(f"Error: {error}.", file=sys.stderr)
            return None
        debug = "--debug" in words
        asked = [word for word in words if word != "--debug"]
        if cell is None and OPTION in words:
            return _widget([word for word in asked if word != OPTION], debug)
        if cell is None:
            with caught() as tables:
                run(words)
            return tables[0]() if tables else None
        submitted: list[Job] = []

        def submit_and_wait() -> None:
            job, wait_for_it = _submit(asked, cell)
            submitted.append(job)
            if wait_for_it:
                job.wait()

        guarded(submit_and_wait, debug)
        return submitted[0] if submitted else None


def _widget(words: list[str], debug: bool) -> PerijoveWidget | None:
    made: list[PerijoveWidget] = []
    guarded(lambda: made.append(widget(words)), debug)
    return made[0] if made else None


def _submit(words: list[str], cell: str) -> tuple[Job, bool]:
    """The cell as a job, and whether it is to be waited for."""
    if not words or words[0] != "job":
        raise InvalidInput("A cell is run with %%perijove job OPTIONS.", field="magic")
    if not cell.strip():
        raise InvalidInput("The cell is empty: there is nothing to run.", field="cell")
    options = words[2:] if words[1:2] == ["submit"] else words[1:]
    # the options of `job submit`, parsed by its own parser
    given = submit.make_context("%%perijove job", list(options)).params
    for name, option in NOT_OF_CELLS.items():
        if given.pop(name):
            raise InvalidInput(f"{option} does not go with a cell.", field=name)
    wait_for_it = bool(given.pop("wait_for_it"))
    workspace = Workspace(given.pop("workspace"))
    typed, raw, yaml, encoded = (given.pop(key) for key in ("typed", "raw", "yaml", "encoded"))
    parameters, tags = collect(typed, raw, yaml, encoded), given.pop("tags")
    given["name"] = given["name"] or "cell"
    given["experiment"] = given["experiment"] or Path.cwd().name or "cells"
    path = _as_notebook(cell, parameters)
    try:
        job = workspace.jobs.submit(define(str(path), None, parameters, tags, given))
    finally:
        path.unlink(missing_ok=True)  # the job has its snapshot
    return job, wait_for_it


def _as_notebook(cell: str, parameters: dict[str, Any]) -> Path:
    """The cell as a notebook in the current folder, so that it finds the files beside it."""
    cells = [nbformat.v4.new_code_cell(cell)]
    if parameters:
        # papermill would warn of parameters that this cell does not have
        names = "\n".join(f"{name} = None" for name in parameters)
        cells.insert(0, nbformat.v4.new_code_cell(names, metadata={"tags": ["parameters"]}))
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
    shell.set_hook("complete_command", complete, re_key=LINE)
