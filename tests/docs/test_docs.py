"""What the documentation says exists: commands parse, Python compiles, the pages build."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from perijove.cli.program import COMMANDS, cli

ROOT = Path(__file__).parents[2]
PAGES = {
    str(page.relative_to(ROOT)): page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if page.name != "rest.md"
}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, *languages: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind in languages]


@pytest.mark.parametrize("page", PAGES)
def test_commands_are_those_of_the_program(page: str) -> None:
    for text in blocks(PAGES[page], "", "bash"):
        for line in text.replace("\\\n", " ").splitlines():
            if line.startswith("perijove "):
                parse(shlex.split(line, comments=True)[1:], line)


def parse(words: list[str], line: str) -> None:
    command: click.Command = cli
    names = []
    while isinstance(command, click.Group):
        assert words, line
        names.append(words.pop(0))
        found = command.get_command(click.Context(command), names[-1])
        assert found is not None, f"There is no command {names[-1]!r}: {line}"
        command = found
    try:
        with command.make_context(" ".join(names), words):
            pass
    except click.UsageError as error:
        pytest.fail(f"{line}: {error.format_message()}")


@pytest.mark.parametrize("page", PAGES)
def test_python_compiles(page: str) -> None:
    for text in blocks(PAGES[page], "python"):
        compile(text, page, "exec")


def test_pages_build_without_a_warning(tmp_path: Path) -> None:
    if importlib.util.find_spec("sphinx") is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have Sphinx: it is in requirements/dev.in.")
        pytest.skip("Sphinx is not installed; it is in requirements/dev.in.")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "dirhtml"]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(tmp_path / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    cli_page = (tmp_path / "html/reference/cli/index.html").read_text()
    for command_name in COMMANDS:
        assert f"perijove {command_name}" in re.sub(r"<[^>]+>", "", cli_page)
