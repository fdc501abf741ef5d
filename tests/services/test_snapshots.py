"""Snapshots and working folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from perijove.errors import SnapshotTooLarge
from perijove.models.attempts import WORK
from perijove.models.jobs import JobKind
from perijove.services.snapshots import lay_out, take_snapshot
from perijove.services.sources import read_source


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    files = {
        "main.py": "print()",
        "lib/helper.py": "",
        "lib/keep.txt": "",
        "lib/.gitignore": "*.txt\n!keep.txt\n",
        "lib/skip.txt": "",
        ".gitignore": "data/\n",
        ".perijoveignore": "# large\nbig.bin\n",
        "data/rows.csv": "1",
        "big.bin": "x" * 5000,
        ".git/HEAD": "",
        "__pycache__/main.pyc": "",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "out").symlink_to("/etc/passwd")
    return root


def kept(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_script_keeps_its_folder_but_for_what_is_ignored(project: Path, tmp_path: Path) -> None:
    take_snapshot(read_source("main.py", str(project)), tmp_path / "s", 10_000, 100)
    assert kept(tmp_path / "s") == {
        ".gitignore", ".perijoveignore", "lib/.gitignore", "lib/helper.py", "lib/keep.txt",
        "main.py",
    }  # fmt: skip


def test_what_is_ignored_is_what_git_ignores(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    files = {
        ".git/HEAD": "",
        ".gitignore": "*.csv\n*.txt\n/src/top.py\nscratch/\n.venv\n",
        "src/main.py": "",
        "src/top.py": "",
        "src/rows.csv": "",
        "src/lib/.gitignore": "!keep.txt\n",
        "src/lib/keep.txt": "",
        "src/lib/skip.txt": "",
        "src/.venv/bin/python": "",
        "scratch/try.py": "",
        "scratch/rows.csv": "",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    os.mkfifo(root / ".perijoveignore")
    take_snapshot(read_source("main.py", str(root / "src")), tmp_path / "s", 10_000, 100)
    assert kept(tmp_path / "s") == {"main.py", "lib/.gitignore", "lib/keep.txt"}
    # a folder that git ignores, and whose script is run nevertheless
    take_snapshot(read_source("try.py", str(root / "scratch")), tmp_path / "t", 10_000, 100)
    assert kept(tmp_path / "t") == {"try.py", "rows.csv"}


def test_a_folder_that_is_too_large_says_what_is(project: Path, tmp_path: Path) -> None:
    (project / ".perijoveignore").unlink()
    with pytest.raises(SnapshotTooLarge, match=r"big\.bin") as refused:
        take_snapshot(read_source("main.py", str(project)), tmp_path / "s", 4000, 100)
    assert ".perijoveignore" in (refused.value.remedy or "")
    with pytest.raises(SnapshotTooLarge, match="3 files"):
        take_snapshot(read_source("main.py", str(project)), tmp_path / "t", 10_000, 3)


def test_a_job_sees_its_snapshot_and_what_lies_beside_it(project: Path, tmp_path: Path) -> None:
    snapshot, work = tmp_path / "s", tmp_path / "w"
    take_snapshot(read_source("lib/helper.py", str(project)), snapshot, 10_000, 100)
    (project / "lib" / "helper.py").write_text("changed since")
    here = lay_out(JobKind.SCRIPT, "lib/helper.py", snapshot, project, work)
    assert here == work / "lib"
    assert (here / "helper.py").read_text() == ""
    assert (here / "../data/rows.csv").read_text() == "1"
    assert (here / "outputs").is_dir()
    assert not (work / ".git").exists()
    lay_out(JobKind.SCRIPT, "lib/helper.py", snapshot, project, work)  # again completes it


def test_a_job_sees_what_lies_above_its_root(tmp_path: Path) -> None:
    root = tmp_path / "project" / "notebooks"
    root.mkdir(parents=True)
    (root / "train.ipynb").write_text("{}")
    (tmp_path / "project" / "data").mkdir()
    (tmp_path / "project" / "data" / "rows.csv").write_text("1")
    (tmp_path / "shared.csv").write_text("2")
    work = tmp_path / "attempt" / WORK
    here = lay_out(JobKind.NOTEBOOK, "train.ipynb", tmp_path / "s", root, work)
    assert here == work
    assert (here / "../data/rows.csv").read_text() == "1"
    assert (here / "../../shared.csv").read_text() == "2"
    (here / "../own.txt").write_text("stays in the job's folder")
    assert not (tmp_path / "project" / "own.txt").exists()


def test_a_job_does_not_see_what_lies_above_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "home" / "notebooks"
    root.mkdir(parents=True)
    (tmp_path / "home" / "private").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    here = lay_out(JobKind.NOTEBOOK, "n.ipynb", tmp_path / "s", root, tmp_path / "attempt" / WORK)
    assert not (here / "../private").exists()
