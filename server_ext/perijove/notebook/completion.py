"""What Tab proposes after ``%perijove``: what the command line's own completion does."""

from __future__ import annotations

from typing import Any

from click.shell_completion import ShellComplete, split_arg_string

from perijove.cli.program import cli
from perijove.notebook.shown import OPTION, WIDGETS

LINE = r"(.*=\s*)?%%?perijove\s"
"""How a line begins that is completed, also where its result is given a name."""


def complete(shell: Any, event: Any) -> list[str]:
    """Nouns, verbs and options that fit; IPython's hook ``complete_command``."""
    begun = event.text_until_cursor.rpartition("%perijove")[2]
    words = split_arg_string(begun)
    last = words.pop() if words and not begun[-1].isspace() else ""
    proposed = ShellComplete(cli, {}, "perijove", "").get_completions(words, last)
    found = [item.value for item in proposed]
    if tuple(words[:2]) in WIDGETS and last and OPTION.startswith(last):
        found.append(OPTION)
    return found
