"""How the program begins: it may be interrupted at once, and imports only what it needs."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder

import click
import pytest

from perijove.cli.app import main
from perijove.cli.program import COMMANDS, cli


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
