"""What others wrote, in a terminal."""

from __future__ import annotations

import click
import pytest

from perijove.cli.output import table
from perijove.cli.terminal import harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b8m", "\\x9b8m"),
        ("photo\u202egnp.exe", "photo\\u202egnp.exe"),
        ("back\rover", "back\\rover"),
        ("two\n\tlines, שלום 🙂", "two\n\tlines, שלום 🙂"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_our_own_colours_stay_and_columns_are_aligned() -> None:
    assert harmless(click.style("failed", fg="red", bold=True)) == click.style(
        "failed", fg="red", bold=True
    )
    head, line = table(["NAME", "STATE"], [["a\x1bb", "ready"]]).splitlines()
    assert click.unstyle(head).index("STATE") == line.index("ready")
