"""The program: its groups, and what becomes of errors."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

import click

from perijove import __version__
from perijove.cli.terminal import harmless
from perijove.errors import InvalidInput, PerijoveError

F = TypeVar("F", bound=Callable[..., Any])


def common(command: F) -> F:
    """The options every command has."""
    command = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(
        command
    )
    return click.option(
        "--workspace", metavar="NAME", callback=_named, help="The workspace; a new name makes one."
    )(command)


def _named(context: click.Context, parameter: click.Parameter, name: str | None) -> str | None:
    """Say that a workspace is new: the name may be mistyped."""
    if name:
        from perijove.client.discovery import workspace_folder

        folder = workspace_folder(name).root
        if not folder.exists() and folder.parent.is_dir():
            others = ", ".join(sorted(other.name for other in folder.parent.iterdir()))
            click.echo(f"There was no workspace {name} yet; there are: {others}.", err=True)
    return name


COMMANDS = {
    "up": "hub",
    "down": "hub",
    "status": "hub",
    "prune": "prune",
    "dashboard": "dashboard",
    "job": "job",
    "compute": "compute",
    "environment": "environment",
    "experiment": "experiment",
    "run": "run",
    "model": "model",
}
"""The module of each command."""


class _Commands(click.Group):
    """Imports the module of a command when it is asked for: each is most of what it costs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            module = import_module(f"perijove.cli.{COMMANDS[cmd_name]}")
            self.add_command(getattr(module, cmd_name))
        return self.commands.get(cmd_name)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="perijove")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def cli(debug: bool) -> None:
    """Run notebooks as durable jobs on machines you own, recorded in MLflow."""


def run(argv: list[str]) -> int:
    """Run a command line; returns its exit code and never raises."""
    debug = "--debug" in argv
    as_json = "--json" in argv
    # it may stand anywhere, as --workspace and --json may
    argv = [word for word in argv if word != "--debug"]
    return guarded(
        lambda: cli.main(argv, prog_name="perijove", standalone_mode=False, color=colors()),
        debug,
        as_json,
    )


def guarded(call: Callable[[], Any], debug: bool = False, as_json: bool = False) -> int:
    """The exit code of a call; what it raises is said in a line or two."""
    try:
        code = call()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except PerijoveError as error:
        if debug:
            raise
        return _refuse(error, as_json)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        if not as_json and error.ctx is not None:
            click.echo(error.ctx.get_usage(), err=True)
        return _refuse(InvalidInput(error.format_message(), field=_field(error)), as_json)
    except click.ClickException as error:
        return _refuse(InvalidInput(error.format_message()), as_json)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        if debug:
            raise
        where = f"{error.filename}: " if error.filename else ""
        return _refuse(InvalidInput(f"{where}{error.strerror or error}."), as_json)
    except Exception as error:
        if debug:
            raise
        unexpected = PerijoveError(
            f"{type(error).__name__}: {error}", remedy="--debug shows where it comes from."
        )
        return _refuse(unexpected, as_json)


def _field(error: click.UsageError) -> str | None:
    """The option as it is written without its dashes, or the argument, that is at fault."""
    param = getattr(error, "param", None)
    if isinstance(param, click.Option):
        return max(param.opts, key=len).lstrip("-")
    name: str | None = getattr(param, "name", None) or getattr(error, "option_name", None)
    return name.lstrip("-") if name else None


def _refuse(error: PerijoveError, as_json: bool) -> int:
    try:
        if as_json:
            click.echo(json.dumps({"error": error.to_json()}))
            return error.exit_code
    except OSError:  # standard output is what cannot be written
        pass
    click.echo(
        f"{click.style('Error:', fg='red')} {harmless(error.message)}", err=True, color=colors()
    )
    if error.remedy:
        click.echo(harmless(error.remedy), err=True)
    return error.exit_code


def colors() -> bool | None:
    """False: none, as https://no-color.org or a simple terminal has it. None: on terminals."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None
