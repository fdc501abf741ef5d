"""``perijove experiment``."""

from __future__ import annotations

import click

from perijove.cli.app import common
from perijove.cli.output import emit, table
from perijove.client.workspace import Workspace


@click.group()
def experiment() -> None:
    """MLflow's experiments."""


@experiment.command("list")
@common
def list_experiments(workspace: str | None, as_json: bool) -> None:
    """List the experiments."""
    found = Workspace(workspace).experiments.list()
    emit(found, as_json, table(["ID", "NAME"], [[e["id"], e["name"]] for e in found]))
