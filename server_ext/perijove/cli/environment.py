"""``perijove environment``."""

from __future__ import annotations

import click

from perijove.cli.app import common
from perijove.cli.output import emit, table
from perijove.client.workspace import Workspace


@click.group()
def environment() -> None:
    """Environments: the kernels jobs can run in."""


@environment.command("list")
@common
def list_environments(workspace: str | None, as_json: bool) -> None:
    """List the environments."""
    found = Workspace(workspace).environments.list()
    rows = [[e.name, e.display_name, e.language, "yes" if e.warm else "no"] for e in found]
    emit(found, as_json, table(["NAME", "DISPLAY NAME", "LANGUAGE", "WARM"], rows))


@environment.command()
@click.argument("name")
@common
def show(name: str, workspace: str | None, as_json: bool) -> None:
    """Show an environment."""
    found = Workspace(workspace).environments.get(name)
    emit(found, as_json, f"{found.name}: {found.display_name} ({found.language})")
