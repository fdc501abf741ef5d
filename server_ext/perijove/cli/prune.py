"""``perijove prune``."""

from __future__ import annotations

import re

import click

from perijove.cli.output import emit, is_terminal
from perijove.cli.program import common
from perijove.client.workspace import Workspace
from perijove.errors import InvalidInput

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@click.command()
@click.option("--older-than", required=True, metavar="AGE", help="For example 30d, 12h, 90m.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
def prune(older_than: str, dry_run: bool, yes: bool, workspace: str | None, as_json: bool) -> None:
    """Delete ended jobs and their files; their MLflow runs stay."""
    seconds = _seconds(older_than)
    jobs = Workspace(workspace).jobs
    if not (dry_run or yes or as_json) and is_terminal():
        planned = jobs.prune(seconds, dry_run=True)
        if planned.deleted:
            click.confirm(f"{planned.message} Go on?", abort=True, err=True)
    report = jobs.prune(seconds, dry_run)
    emit(report, as_json, report.message)


def _seconds(age: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", age.strip())
    if found is None:
        raise InvalidInput(
            f"--older-than must be a number and one of s m h d w, not {age!r}.",
            field="--older-than",
            remedy="For example: --older-than 30d.",
        )
    return float(found[1]) * UNITS[found[2]]
