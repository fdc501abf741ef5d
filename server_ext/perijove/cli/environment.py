"""``perijove environment``."""

from __future__ import annotations

import click

from perijove.cli.output import ago, emit, is_terminal, say, state, table, tell
from perijove.cli.program import common
from perijove.client.environments import Environment
from perijove.client.workspace import Workspace

HEAD = ["NAME", "VERSION", "STATE", "PYTHON", "FROM", "WARM", "CREATED"]


@click.group()
def environment() -> None:
    """Environments: what jobs run in. Built from a list of packages, or a kernelspec."""


@environment.command()
@click.argument("name")
@click.option("--requirements", metavar="FILE", help="A requirements file.")
@click.option("--conda", metavar="FILE", help="A conda environment file.")
@click.option("--pyproject", metavar="DIR", help="A project: its dependencies are installed.")
@click.option("--python", metavar="VERSION", help="For example 3.12 [default: the hub's own].")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until it is built.")
@common
def create(
    name: str,
    requirements: str | None,
    conda: str | None,
    pyproject: str | None,
    python: str | None,
    wait: bool,
    workspace: str | None,
    as_json: bool,
) -> int:
    """Build the environment NAME; the same packages again are the version that there is."""
    made = Workspace(workspace).environments.create(
        name, requirements=requirements, conda=conda, pyproject=pyproject, python=python
    )
    if wait and not made.data.state.settled:
        try:
            if is_terminal() and not as_json:
                for piece in made.logs(follow=True):
                    click.echo(piece, err=True, nl=False)
            made.wait(raise_on_failure=False)
        except KeyboardInterrupt:
            say(
                f"{made.reference} goes on being built: perijove environment logs "
                f"{made.reference} --follow. To call it off: perijove environment delete "
                f"{made.reference}."
            )
            raise
    _tell(made, as_json)
    if made.data.message:
        say(made.data.message)
    return int(made.data.state.value == "failed")


@environment.command("list")
@common
def list_environments(workspace: str | None, as_json: bool) -> None:
    """List the environments, the latest version of each."""
    found = Workspace(workspace).environments.list()
    rows = [_row(x) for x in found]
    emit([x.data for x in found], as_json, table(HEAD, rows), lambda: found)


@environment.command()
@click.argument("name")
@common
def show(name: str, workspace: str | None, as_json: bool) -> None:
    """Show an environment: NAME, NAME:VERSION or NAME@latest."""
    found = Workspace(workspace).environments.get(name)
    _tell(found, as_json)
    if not as_json:
        for key in ("interpreter", "digest", "message"):
            if (value := getattr(found.data, key)) is not None:
                tell(f"{key}: {value}")
        versions = [str(other.version) for other in found.versions]
        if len(versions) > 1:
            tell(f"versions: {', '.join(versions)}")
        if found.text:
            tell(f"\n{found.text.rstrip()}")


@environment.command()
@click.argument("name")
@click.option("--follow", is_flag=True, help="Go on until the build is over.")
@common
def logs(name: str, follow: bool, workspace: str | None, as_json: bool) -> None:
    """Print what the build of an environment has said."""
    found = Workspace(workspace).environments.get(name)
    if as_json:
        emit({"log": "".join(found.logs())}, True)
        return
    for piece in found.logs(follow=True) if follow else [found.logs()]:
        click.echo(piece, nl=False)


@environment.command()
@click.argument("name")
@common
def delete(name: str, workspace: str | None, as_json: bool) -> None:
    """Delete an environment, or with NAME:VERSION one version, and free its disk."""
    done = Workspace(workspace).environments.delete(name)
    versions = ", ".join(map(str, done.versions))
    emit(done, as_json)
    say(f"{done.name} (version {versions}) is deleted; {done.freed_bytes / 1e6:.1f} MB freed.")


def _tell(found: Environment, as_json: bool) -> None:
    emit(found.data, as_json, table(HEAD, [_row(found)]))


def _row(found: Environment) -> list[str]:
    data = found.data
    return [
        data.name,
        "–" if data.version is None else str(data.version),
        state(data.state.value),
        data.python or data.language or "–",
        data.source.value if data.source else data.kind.value,
        "yes" if data.warm else "no",
        ago(data.created_at),
    ]
