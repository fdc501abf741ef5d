"""``perijove compute``."""

from __future__ import annotations

import click

from perijove.cli.app import common
from perijove.cli.output import emit, table
from perijove.client.workspace import Workspace
from perijove.models.workspaces import TargetSummary

HEAD = ["NAME", "KIND", "STATE", "SLOTS", "RUNNING", "QUEUED"]


@click.group()
def compute() -> None:
    """Compute targets."""


@compute.command("list")
@common
def list_targets(workspace: str | None, as_json: bool) -> None:
    """List the compute targets."""
    targets = Workspace(workspace).compute.list()
    emit(targets, as_json, table(HEAD, [_row(target) for target in targets]))


@compute.command()
@click.argument("name")
@common
def show(name: str, workspace: str | None, as_json: bool) -> None:
    """Show a compute target."""
    target = Workspace(workspace).compute.get(name)
    emit(target, as_json, table(HEAD, [_row(target)]))


def _row(target: TargetSummary) -> list[str]:
    return [
        target.name,
        target.kind,
        target.state,
        str(target.slots),
        str(target.running_jobs),
        str(target.queued_jobs),
    ]
