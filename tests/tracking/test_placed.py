"""Artifacts that are put where the server keeps them: which are, and which must be sent."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from perijove.tracking.placed import put

URI = "http://127.0.0.1:5000"
BASE = f"{URI}/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "artifacts"
    made.mkdir()
    monkeypatch.setenv("PERIJOVE_ARTIFACTS", str(made))
    monkeypatch.setenv("PERIJOVE_SPOOL_URI", f"{URI}/")
    return made


def repository(uri: str = f"{BASE}/1/run/artifacts") -> Any:
    return SimpleNamespace(artifact_uri=uri)


def a_file(folder: Path, name: str = "a b.txt", text: str = "text") -> Path:
    made = folder / name
    made.write_text(text)
    made.chmod(0o600)
    return made


def everything(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_a_file_is_put_where_the_server_puts_it(root: Path, tmp_path: Path) -> None:
    file = a_file(tmp_path)
    assert put(repository(), str(file))
    assert put(repository(), file, Path("deep/er"))
    file.write_text("later")
    assert put(repository(), file)
    artifacts = root / "1/run/artifacts"
    assert (artifacts / "a b.txt").read_text() == "later"
    assert (artifacts / "deep/er/a b.txt").read_text() == "text"
    usual = a_file(tmp_path, "usual")
    usual.unlink()
    usual.touch()
    assert (artifacts / "a b.txt").stat().st_mode == usual.stat().st_mode
    assert len(everything(artifacts)) == 4


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a#b", None),
        ("a%41", None),
        ("a\\b", None),
        ("a:b", None),
        ("ä", None),
        ("a\n", None),
        (".artifact.uploading.x", None),
        ("a", ".."),
        ("a", "b/../c"),
        ("a", "b//c"),
        ("a", "./b"),
        ("a", "/b"),
        ("a", "b/"),
        ("a", "b#"),
    ],
)
def test_what_has_another_name_over_http_is_sent(
    root: Path, tmp_path: Path, name: str, path: Any
) -> None:
    assert not put(repository(), a_file(tmp_path, name), path)
    assert everything(root) == []


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:5001/api/2.0/mlflow-artifacts/artifacts/1/run/artifacts",
        f"{URI}/api/2.0/mlflow/elsewhere/1",
        f"{BASE}/../../1",
        BASE,
        "s3://bucket/1",
    ],
)
def test_what_belongs_elsewhere_is_sent(root: Path, tmp_path: Path, uri: str) -> None:
    assert not put(repository(uri), a_file(tmp_path))
    assert everything(root) == []


@pytest.mark.parametrize("folder", ["", None])
def test_without_a_folder_everything_is_sent(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str | None
) -> None:
    monkeypatch.delenv("PERIJOVE_ARTIFACTS")
    if folder is not None:
        monkeypatch.setenv("PERIJOVE_ARTIFACTS", folder)
    assert not put(repository(), a_file(tmp_path))


def test_no_link_is_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "1/run").mkdir(parents=True)
    (root / "1/run/artifacts").symlink_to(outside)
    assert not put(repository(), a_file(tmp_path))
    assert not put(repository(), a_file(tmp_path), "deep")
    assert everything(outside) == []


def test_the_root_may_be_a_link(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(root)
    monkeypatch.setenv("PERIJOVE_ARTIFACTS", str(tmp_path / "link"))
    assert put(repository(), a_file(tmp_path))
    assert (root / "1/run/artifacts/a b.txt").exists()


def test_what_cannot_be_put_there_leaves_nothing(root: Path, tmp_path: Path) -> None:
    assert not put(repository(), tmp_path / "nothing")
    assert not put(repository(), tmp_path)
    assert everything(root) == []
    folder = root / "1/run/artifacts/a b.txt"
    folder.mkdir(parents=True)
    assert not put(repository(), a_file(tmp_path))
    (folder / "file").write_text("")
    assert not put(repository(), a_file(tmp_path), "a b.txt/file")
    assert os.listdir(folder.parent) == ["a b.txt"]
