"""Commands that are refused before anything is asked of a hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from perijove.cli.hosts import confirmed
from perijove.cli.output import writing
from perijove.cli.program import run
from perijove.errors import InvalidInput


@pytest.mark.parametrize(
    "words", [[], ["--run", "a", "--model", "m-1"], ["--run", "a", "--file", "f"]]
)
def test_a_version_comes_from_one_place(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["model", "register", "tumours", *words, "--json"]) == 2
    assert (
        "exactly one of --run, --model and --file"
        in json.loads(capsys.readouterr().out)["error"]["message"]
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [("[1", "line 1, column 3"), ("{a: &x 1, b: *x}", "aliases"), ("1", "mapping")],
)
def test_yaml_on_the_command_line_is_called_by_its_option(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["job", "submit", str(tmp_path / "n.ipynb"), "-y", text, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["field"] == "-y"
    assert says in error["message"]


def test_a_folder_that_cannot_be_written_is_named() -> None:
    with (
        pytest.raises(InvalidInput, match="/proc/x cannot be written") as refused,
        writing("/proc/x"),
    ):
        Path("/proc/x").mkdir()
    assert refused.value.field == "folder"


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["job", "list", "--state", "zzz"], "state"),
        (["job", "list", "--nothing"], "nothing"),
        (["prune"], "older-than"),
        (["job", "show"], "job_id"),
    ],
)
def test_an_option_is_called_as_it_is_written(
    words: list[str], field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["field"] == field


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"hosts": 5}, "hosts"),
        ({"hosts": "ada"}, "hosts"),
        ({"hosts": ["ada"], "on": "ssh", "cpus": 0}, "cpus"),
        ({"host": "ada", "kind": "attached", "scheduler": "tls://ada:1"}, "host"),
    ],
)
def test_no_key_is_asked_of_hosts_that_are_refused_anyway(
    given: dict[str, object], field: str
) -> None:
    nobody: Any = None
    with pytest.raises(InvalidInput) as refused:
        confirmed(nobody, {"name": "pool"} | given, yes=True)
    assert refused.value.field == field
