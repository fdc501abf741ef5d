"""How the program begins: it may be interrupted at once, and imports only what it needs."""

from __future__ import annotations

import io
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

import click
import pytest

from perijove.cli.app import main
from perijove.cli.program import COMMANDS, cli, run


class Interrupted(MetaPathFinder):
    """Somebody presses Ctrl-C while the program is being imported."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "perijove.cli.program":
            raise KeyboardInterrupt


def test_an_interrupt_while_it_imports_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "perijove.cli.program")
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr() == ("", "")


def test_every_command_is_found_under_its_name() -> None:
    with click.Context(cli) as context:
        for name in COMMANDS:
            found = cli.get_command(context, name)
            assert found is not None
            assert found.name == name
        assert cli.get_command(context, "nothing") is None


class Full(io.StringIO):
    """Standard output on a disk that is full."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_an_output_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERIJOVE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "stdout", Full())
    assert run(["status", "--json"]) == 2
    assert capsys.readouterr().err == "Error: No space left on device.\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variable", "value", "colours"),
    [("NO_COLOR", "1", False), ("TERM", "dumb", False), ("TERM", "xterm", True)],
)
def test_colours_can_be_declined(
    variable: str, value: str, colours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr(sys, "stderr", screen)
    assert run(["nothing"]) == 2
    assert ("\x1b[" in screen.getvalue()) is colours
