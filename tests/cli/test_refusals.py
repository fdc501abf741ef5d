"""Commands that are refused before anything is asked of a hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from perijove.cli.hosts import confirmed
from perijove.cli.output import writing
from perijove.cli.program import guarded, run
from perijove.client.http import HubClient
from perijove.client.runs import Run
from perijove.errors import InvalidInput
from perijove.models.workspaces import WorkspaceFolder


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


@pytest.mark.parametrize(
    ("words", "field", "says"),
    [
        (["register", "a/b", "--file", "f"], "name", "must not contain /. Letters"),
        (["register", "m", "--file", "f", "--alias", "a b"], "alias", "'a b'. It is a letter"),
        (["register", "m", "--file", ""], "files", "an empty name"),
        (["show", ""], "name", "There is no model ''. See: perijove model list"),
        (["show", ".."], "name", "There is no model '..'. See"),
        (["show", "x" * 1001], "name", "See: perijove model list"),
    ],
)
def test_models_that_cannot_be_are_refused_with_a_remedy(
    words: list[str], field: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["model", *words, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["field"] == field
    assert says in f"{error['message']} {error['remedy']}"


@pytest.mark.parametrize(
    ("option", "name", "text"),
    [("conda", "env.yaml", "name: x\n"), ("requirements", "needs.txt", "# nothing\n")],
)
def test_a_bad_file_of_packages_is_called_by_its_name(
    option: str, name: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(text)
    words = ["environment", "create", "geo", f"--{option}", str(tmp_path / name), "--json"]
    assert run(words) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["field"] == option
    assert error["message"].startswith(f"{tmp_path / name}: ")


def test_a_remedy_does_not_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        raise InvalidInput("No.", remedy="Take \x1b[2Jthat.")

    assert guarded(refuse) == 2
    assert "Take \\x1b[2Jthat." in capsys.readouterr().err


def test_a_new_workspace_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERIJOVE_HOME", str(tmp_path))
    (tmp_path / "workspaces/default").mkdir(parents=True)
    words = ["model", "show", "..", "--json"]
    run([*words, "--workspace", "defualt"])
    assert "no workspace defualt yet; there are: default." in capsys.readouterr().err
    run([*words, "--workspace", "default"])
    assert not capsys.readouterr().err


@pytest.mark.parametrize("path", ["../..", "/etc", "a/../../b"])
def test_artifacts_are_not_left(path: str) -> None:
    run_of_nobody = Run(HubClient(WorkspaceFolder(Path("/nowhere"), "w"), start=False), "r")
    with pytest.raises(InvalidInput, match="does not stay below") as refused:
        run_of_nobody.download("here", path)
    assert repr(path) in refused.value.message


@pytest.mark.parametrize("name", ["leaderboard", "model_card"])
def test_a_dashboard_of_what_mlflow_has_wants_it(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Mock()
    workspace.return_value.status.return_value.tracking_state = "unreachable"
    monkeypatch.setattr("perijove.cli.dashboard.Workspace", workspace)
    monkeypatch.setattr("perijove.cli.dashboard._voila", Mock(side_effect=AssertionError))
    assert run(["dashboard", name, "--no-browser", "--json"]) == 3
    assert "MLflow does not answer" in json.loads(capsys.readouterr().out)["error"]["message"]
