"""``config.yaml``: what it may say, and how it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from perijove.errors import InvalidInput
from perijove.hub.folder import read_config
from perijove.models.workspaces import WorkspaceFolder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkspaceFolder:
    monkeypatch.delenv("PERIJOVE_TRACKING_URI", raising=False)
    found = WorkspaceFolder(tmp_path, "default")
    found.root.mkdir(parents=True)
    return found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tracking_uri: nonsense", "tracking_uri: .*must be the address of an MLflow server"),
        ("tracking_uri: sqlite:///mlflow.db", "tracking_uri"),
        ("tracking_uri: 'http://'", "tracking_uri"),
        ("tracking_uri: 'http://['", "tracking_uri"),
        ("slots: 0", "slots"),
        ("nonsense: 1", "nonsense"),
        ("- 1", "config.yaml"),
        ("[", "no valid YAML"),
        ("\udcff", "no valid YAML"),
    ],
)
def test_what_breaks_a_rule_is_said_in_one_line(
    folder: WorkspaceFolder, text: str, says: str
) -> None:
    folder.config.write_text(text, "utf-8", "surrogateescape")
    with pytest.raises(InvalidInput, match=says) as refused:
        read_config(folder)
    assert "\n" not in refused.value.message


def test_the_variable_names_a_server_where_the_file_does_not(
    folder: WorkspaceFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERIJOVE_TRACKING_URI", "https://mlflow.lab:5000/base")
    assert read_config(folder).tracking_uri == "https://mlflow.lab:5000/base"
    folder.config.write_text("slots: 3\ntracking_uri: http://other\n")
    assert read_config(folder).tracking_uri == "http://other"
