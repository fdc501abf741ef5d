"""``perijove run``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from perijove.cli.output import ago, emit, table, writing
from perijove.cli.parameters import tagged
from perijove.cli.program import common
from perijove.client.runs import Run, RunList, compared, differences
from perijove.client.workspace import Workspace
from perijove.models.experiments import Lifecycle
from perijove.models.runs import RunRow

LIMIT = 100
MOST = 6
"""Columns that are shown if none are asked for."""
WIDTH = 24
"""Characters of a cell in tables for people."""
LINE = 200
"""Characters of a value that has a line of its own."""


@click.group()
def run() -> None:
    """MLflow's runs."""


def _question(command: Any) -> Any:
    for option in (
        click.option("--columns", metavar="A,B", help="As metrics.auc,params.lr; default: all."),
        click.option("--limit", default=LIMIT, show_default=True, type=click.IntRange(0)),
        click.option(
            "--order-by", metavar="ORDER", multiple=True, help='As "metrics.auc desc"; again.'
        ),
        click.option("--filter", "text", default="", metavar="FILTER", help="MLflow's language."),
        click.option("--deleted", is_flag=True, help="Those that were deleted."),
    ):
        command = option(command)
    return command


@run.command("list")
@click.argument("experiment")
@_question
@common
def list_runs(experiment: str, workspace: str | None, as_json: bool, **asked: Any) -> None:
    """List the runs of an experiment, given by name or id."""
    _list(Workspace(workspace), [experiment], as_json, **asked)


@run.command()
@click.option("--experiment", "-e", "named", multiple=True, help="Again for more; default: all.")
@_question
@common
def search(named: tuple[str, ...], workspace: str | None, as_json: bool, **asked: Any) -> None:
    """List runs of several experiments."""
    place = Workspace(workspace)
    # a search is of a hundred at most: those used last
    chosen = list(named) or [found.id for found in place.experiments.list()[:100]]
    _list(place, chosen, as_json, **asked)


def _list(
    place: Workspace,
    experiments: list[str],
    as_json: bool,
    text: str,
    order_by: tuple[str, ...],
    limit: int,
    columns: str | None,
    deleted: bool,
) -> None:
    names = None if columns is None else [c.strip() for c in columns.split(",") if c.strip()]
    found = place.runs.search(
        experiments,
        text,
        order_by,
        columns=names,
        limit=limit,
        view="deleted" if deleted else "active",
    )
    emit(found, as_json, _table(found, names), found.dataframe)


@run.command()
@click.argument("run_id")
@common
def show(run_id: str, workspace: str | None, as_json: bool) -> None:
    """Show a run."""
    found = Workspace(workspace).runs.get(run_id)
    data = found.data
    deleted = ", deleted," if data.lifecycle_stage is Lifecycle.DELETED else ""
    lines = [
        f"{data.name} ({data.run_id})",
        f"{data.status}{deleted} in {data.experiment_name}, started {ago(data.started_at)}",
        *(f"param   {key} = {_line(text)}" for key, text in sorted(data.params.items())),
        *(f"metric  {key} = {value}" for key, value in sorted(data.metrics.items())),
        *(f"tag     {key} = {_line(text)}" for key, text in sorted(data.tags.items())),
        *(f"logged  {logged.name} ({logged.model_id})" for logged in data.logged_models),
        *(f"model   {version.name} version {version.version}" for version in data.model_versions),
    ]
    emit(data, as_json, "\n".join(lines))


@run.command()
@click.argument("run_ids", nargs=-1, required=True)
@common
def compare(run_ids: tuple[str, ...], workspace: str | None, as_json: bool) -> None:
    """Show parameters and metrics of runs side by side, those that differ first."""
    runs = [Workspace(workspace).runs.get(run_id) for run_id in run_ids]
    ids = [found.run_id for found in runs]
    lines = differences(runs)
    result = [
        {"name": name, "values": dict(zip(ids, values, strict=True)), "differs": differ}
        for name, values, differ in lines
    ]
    rows = [
        [click.style(name, bold=True) if differ else name, *map(_cell, values)]
        for name, values, differ in lines
    ]
    human = table(["NAME", *(found.name[:WIDTH] for found in runs)], rows)
    emit(result, as_json, human, lambda: compared(runs))


@run.command()
@click.argument("run_id")
@click.argument("tags", nargs=-1, required=True, metavar="NAME=TEXT|NAME-…")
@common
def tag(run_id: str, tags: tuple[str, ...], workspace: str | None, as_json: bool) -> None:
    """Set tags of a run (NAME=TEXT) or remove them (NAME-)."""
    found = Run(Workspace(workspace).client, run_id).set_tags(tagged(tags))
    emit(found.data, as_json, f"Run {found.name} has the tags {', '.join(found.data.tags) or '–'}.")


@run.command()
@click.argument("run_ids", nargs=-1, required=True)
@common
def delete(run_ids: tuple[str, ...], workspace: str | None, as_json: bool) -> None:
    """Delete runs; `restore` brings them back."""
    found = Workspace(workspace).runs.delete(run_ids)
    emit({"run_ids": found}, as_json, f"{len(found)} deleted.")


@run.command()
@click.argument("run_ids", nargs=-1, required=True)
@common
def restore(run_ids: tuple[str, ...], workspace: str | None, as_json: bool) -> None:
    """Bring deleted runs back."""
    found = Workspace(workspace).runs.restore(run_ids)
    emit({"run_ids": found}, as_json, f"{len(found)} restored.")


@run.command()
@click.argument("run_id")
@click.argument("name")
@click.option("--path", default="model", show_default=True, help="What the run has logged it as.")
@click.option("--alias", help="Point this alias at it.")
@common
def register(
    run_id: str, name: str, path: str, alias: str | None, workspace: str | None, as_json: bool
) -> None:
    """Register what a run has logged as a version of the model NAME; see `model register`."""
    place = Workspace(workspace)
    made = place.models.register(name, run=place.runs.get(run_id), path=path, alias=alias).data
    emit(made, as_json, f"{made.name} has version {made.version}.")


@run.command()
@click.argument("run_id")
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--path", default="", help="A file or folder among the artifacts; default: all.")
@common
def download(run_id: str, folder: str, path: str, workspace: str | None, as_json: bool) -> None:
    """Copy a run's artifacts into a folder."""
    found = Workspace(workspace).runs.get(run_id)
    nothing = not path and not found.artifacts()
    with writing(folder):
        place = found.download(folder, path)
    told = f"Run {found.name} has no artifacts." if nothing else f"Downloaded to {place}."
    emit({"run_id": found.run_id, "path": str(place)}, as_json, told)


def _table(found: RunList, columns: list[str] | None) -> str:
    if not found.total:
        return "There are no such runs."
    lines = [_values(run.row) for run in found]
    common = [name for line in lines for name in line if not name.startswith("tags.")]
    shown = list(dict.fromkeys(common))[:MOST] if columns is None else columns
    rows = []
    for run, line in zip(found, lines, strict=True):
        cells = [_cell(line.get(name.replace("`", ""))) for name in shown]
        rows.append([run.run_id, run.name[:WIDTH], run.status, ago(run.row.started_at), *cells])
    more = f"\n{found.total - len(found)} more." if found.total > len(found) else ""
    head = ["ID", "NAME", "STATUS", "STARTED", *(name.partition(".")[2] or name for name in shown)]
    return table(head, rows) + more


def _values(row: RunRow) -> dict[str, Any]:
    """By the names of columns, without quotes."""
    kinds: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("metrics", row.metrics),
        ("params", row.params),
        ("tags", row.tags),
    )
    return {f"{kind}.{key}": value for kind, known in kinds for key, value in known.items()}


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return _cut(f"{value:.6g}" if isinstance(value, float) else str(value), WIDTH)


def _line(text: str) -> str:
    """A value beside its name; `--json` has all of it."""
    return _cut(" ".join(text.splitlines()), LINE)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
