"""``--widget``: what a command of the magic would print, as the widget that shows the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from perijove.cli.program import cli
from perijove.client.workspace import Workspace
from perijove.errors import InvalidInput

if TYPE_CHECKING:
    from perijove.notebook.widgets import PerijoveWidget

OPTION = "--widget"
Given = dict[str, Any]
"""The arguments and options of a command, as its parser names them."""


def widget(words: list[str]) -> PerijoveWidget:
    """The widget of a command line without its `OPTION`.

    Raises InvalidInput: there is none for this command, or it has an option no widget has; and
    click's errors, for what is no such command.
    """
    if tuple(words[:2]) not in WIDGETS:
        known = ", ".join(" ".join(names) for names in WIDGETS)
        raise InvalidInput(
            f"{OPTION} does not go with this command.",
            field="widget",
            remedy=f"It does with: {known}.",
        )
    given = _parsed(words)
    for name in ("deleted", "archived", "as_json"):
        if given.pop(name, False):
            said = name.removeprefix("as_")
            raise InvalidInput(f"--{said} does not go with {OPTION}.", field=said)
    return WIDGETS[words[0], words[1]](Workspace(given.pop("workspace")), given)


def _parsed(words: list[str]) -> Given:
    command: click.Command | None = cli
    context = click.Context(cli, info_name="%perijove")
    for name in words[:2]:
        assert isinstance(command, click.Group)
        command = command.get_command(context, name)
    assert command is not None
    return command.make_context(" ".join(words[:2]), words[2:], parent=context).params


def _run_list(place: Workspace, given: Given) -> PerijoveWidget:
    from perijove.notebook.widgets import RunTable

    columns = given["columns"]
    names = None if columns is None else [c.strip() for c in columns.split(",") if c.strip()]
    return RunTable(
        given["experiment"],
        place,
        filter=given["text"],
        order_by=list(given["order_by"]),
        columns=names,
        limit=given["limit"],
    )


def _run_show(place: Workspace, given: Given) -> PerijoveWidget:
    from perijove.notebook.widgets import RunView

    return RunView(place.runs.get(given["run_id"]), place)


def _run_compare(place: Workspace, given: Given) -> PerijoveWidget:
    from perijove.notebook.widgets import CompareRuns

    return CompareRuns([place.runs.get(run_id) for run_id in given["run_ids"]], place)


def _models(place: Workspace, given: Given) -> PerijoveWidget:
    from perijove.notebook.widgets import ModelRegistry

    return ModelRegistry(place, filter=given.get("filter", ""))


def _model(place: Workspace, given: Given) -> PerijoveWidget:
    from perijove.notebook.widgets import ModelRegistry

    model = place.models.get(given["name"])
    version = given["version"] and model.version(given["version"]).data.version
    return ModelRegistry(place, model=model.name, version=version or "")


def _job(place: Workspace, given: Given) -> PerijoveWidget:
    from perijove.notebook.widgets import JobCard

    return JobCard(place.jobs.get(given["job_id"]), place)


def _compute(place: Workspace, given: Given) -> PerijoveWidget:
    from perijove.notebook.widgets import ComputeView

    return ComputeView(place)


WIDGETS: dict[tuple[str, str], Callable[[Workspace, Given], PerijoveWidget]] = {
    ("run", "list"): _run_list,
    ("run", "show"): _run_show,
    ("run", "compare"): _run_compare,
    ("model", "list"): _models,
    ("model", "search"): _models,
    ("model", "show"): _model,
    ("job", "show"): _job,
    ("compute", "list"): _compute,
}
"""By noun and verb."""
