"""``perijove experiment``."""

from __future__ import annotations

import click

from perijove.cli.output import ago, emit, table
from perijove.cli.parameters import tagged
from perijove.cli.program import common
from perijove.client.experiments import Experiment
from perijove.client.listed import Listed
from perijove.client.workspace import Workspace


@click.group()
def experiment() -> None:
    """MLflow's experiments."""


@experiment.command("list")
@click.option("--deleted", is_flag=True, help="Those that were deleted.")
@common
def list_experiments(workspace: str | None, as_json: bool, deleted: bool) -> None:
    """List the experiments, those used last first."""
    _list(Workspace(workspace).experiments.list("deleted" if deleted else "active"), as_json)


@experiment.command()
@click.argument("filter")
@click.option("--deleted", is_flag=True, help="Those that were deleted.")
@common
def search(filter: str, workspace: str | None, as_json: bool, deleted: bool) -> None:
    """List the experiments that FILTER, in MLflow's language, is true of: "name LIKE 'churn%'"."""
    view = "deleted" if deleted else "active"
    _list(Workspace(workspace).experiments.list(view, filter), as_json)


def _list(found: Listed[Experiment], as_json: bool) -> None:
    rows = [[e.id, e.name, _count(e.runs), _count(e.running), ago(e.last_run_at)] for e in found]
    human = table(["ID", "NAME", "RUNS", "RUNNING", "LAST RUN"], rows)
    emit(found, as_json, human if rows else "There are no such experiments.", found.dataframe)


@experiment.command()
@click.argument("name")
@common
def show(name: str, workspace: str | None, as_json: bool) -> None:
    """Show an experiment, given by name or id."""
    found = Workspace(workspace).experiments.get(name)
    emit(found, as_json, _told(found))


@experiment.command()
@click.argument("name")
@click.option("--description", metavar="TEXT", help="In Markdown.")
@common
def create(name: str, description: str | None, workspace: str | None, as_json: bool) -> None:
    """Make an experiment."""
    found = Workspace(workspace).experiments.create(name, description)
    emit(found, as_json, f"Experiment {found.name} has the id {found.id}.")


@experiment.command()
@click.argument("name")
@click.argument("new")
@common
def rename(name: str, new: str, workspace: str | None, as_json: bool) -> None:
    """Give an experiment another name."""
    found = Workspace(workspace).experiments.rename(name, new)
    emit(found, as_json, f"Experiment {found.id} is named {found.name}.")


@experiment.command()
@click.argument("name")
@click.argument("tags", nargs=-1, required=True, metavar="NAME=TEXT|NAME-…")
@common
def tag(name: str, tags: tuple[str, ...], workspace: str | None, as_json: bool) -> None:
    """Set tags of an experiment (NAME=TEXT) or remove them (NAME-)."""
    found = Workspace(workspace).experiments.set_tags(name, tagged(tags))
    emit(found, as_json, _told(found))


@experiment.command()
@click.argument("name")
@common
def delete(name: str, workspace: str | None, as_json: bool) -> None:
    """Delete an experiment with its runs; `restore` brings them back."""
    found = Workspace(workspace).experiments.delete(name)
    emit(found, as_json, f"Experiment {found.name} is deleted.")


@experiment.command()
@click.argument("name")
@common
def restore(name: str, workspace: str | None, as_json: bool) -> None:
    """Bring a deleted experiment back, with its runs."""
    found = Workspace(workspace).experiments.restore(name)
    emit(found, as_json, f"Experiment {found.name} is back.")


def _count(number: int | None) -> str:
    return "–" if number is None else str(number)


def _told(found: Experiment) -> str:
    lines = [
        f"{found.name} (id {found.id}, {found.lifecycle_stage.value})",
        f"runs: {_count(found.runs)}, running: {_count(found.running)}",
        *(f"tag {key}: {text}" for key, text in sorted(found.tags.items())),
    ]
    return "\n".join(lines + ([found.description] if found.description else []))
