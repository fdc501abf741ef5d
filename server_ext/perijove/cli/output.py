"""How results leave: one JSON document, or tables for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from pydantic import BaseModel

from perijove.cli.terminal import harmless
from perijove.client.runs import RunList
from perijove.errors import InvalidInput

if TYPE_CHECKING:
    from pandas import DataFrame

    from perijove.client.listed import Listed

Frame = Callable[[], "DataFrame | Listed[Any]"]
STYLES = {
    "succeeded": "green",
    "failed": "red",
    "canceled": "yellow",
    "running": "blue",
    "ready": "green",
}


def plain(result: Any) -> Any:
    """JSON's types."""
    if isinstance(result, RunList):
        return [plain(run.row) for run in result]
    if isinstance(result, BaseModel):
        return result.model_dump(mode="json")
    if isinstance(result, (list, tuple)):
        return [plain(item) for item in result]
    return result


_caught: ContextVar[list[Frame] | None] = ContextVar("caught", default=None)


@contextmanager
def caught() -> Iterator[list[Frame]]:
    """Makers of the tables that commands would print within, for who can do more with them."""
    tables: list[Frame] = []
    mark = _caught.set(tables)
    try:
        yield tables
    finally:
        _caught.reset(mark)


def emit(result: Any, as_json: bool, human: str = "", frame: Frame | None = None) -> None:
    """Print a result: the JSON document, or the text for people. Where tables are `caught`, what
    makes the result a `frame` is kept instead of the text."""
    if not as_json and frame is not None and (tables := _caught.get()) is not None:
        tables.append(frame)
    elif as_json:
        click.echo(json.dumps(plain(result), indent=1))
    elif human:
        tell(human)


def tell(text: str) -> None:
    """Print text for people, which may have the words of others in it."""
    click.echo(harmless(text))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be."""
    rows = [[harmless(cell) for cell in row] for row in rows]
    head = [harmless(name) for name in head]
    widths = [
        max([len(click.unstyle(row[i])) for row in rows] + [len(name)])
        for i, name in enumerate(head)
    ]
    lines = [
        "  ".join(click.style(n.ljust(w), bold=True) for n, w in zip(head, widths, strict=True))
    ]
    for row in rows:
        cells = [c + " " * (w - len(click.unstyle(c))) for c, w in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def state(name: str) -> str:
    """A state in its colour."""
    return click.style(name, fg=STYLES.get(name))


def ago(moment: datetime | None) -> str:
    """``4 min ago``."""
    if moment is None:
        return "–"
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def duration(begun: datetime | None, ended: datetime | None) -> str:
    """``2 m 14 s``; up to now for what has not ended."""
    if begun is None:
        return "–"
    seconds = ((ended or datetime.now(UTC)) - begun).total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} m" if hours else f"{minutes} m {rest:02d} s"


def say(text: str) -> None:
    """A message for people, beside the result."""
    click.echo(harmless(text), err=True)


@contextmanager
def writing(folder: str) -> Iterator[None]:
    """Files are written below `folder` within; raises InvalidInput where they cannot be."""
    try:
        yield
    except OSError as error:
        why = error.strerror or error
        raise InvalidInput(f"{folder} cannot be written: {why}.", field="folder") from None


def is_terminal() -> bool:
    """Is somebody watching standard error?"""
    return sys.stderr.isatty()
