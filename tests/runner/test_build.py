"""A build in its folder: with a stand-in for conda, without uv's blessing, twice at once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from perijove.errors import MissingExtra
from perijove.models.environments import (
    BUILD_LOG,
    CONTENT,
    DONE,
    FAILED,
    BuildFailure,
    BuildResult,
    EnvironmentContent,
    SourceKind,
)
from perijove.runner import build as builds

pytestmark = pytest.mark.integration

CONDA = "channels: [conda-forge]\ndependencies:\n- python=3.11\n- gdal\n- pip:\n  - six==1.16.0\n"


def folder_for(folder: Path, source: SourceKind, text: str, python: str = "3.11") -> Path:
    folder.mkdir()
    content = EnvironmentContent(source=source, text=text, python=python)
    (folder / CONTENT).write_text(content.model_dump_json())
    return folder


def test_conda_s_own_part_is_conda_s_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    program = programs / "micromamba"
    program.write_text(
        f'#!/bin/sh\necho "$@"\nexec {builds.uv()} venv --quiet --python {sys.executable} "$4"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    folder = folder_for(tmp_path / "env", SourceKind.CONDA, CONDA)
    builds.build(folder)
    result = BuildResult.model_validate_json((folder / DONE).read_text())
    assert result.warning is None
    asked = f"create --yes --prefix {folder}/venv --file conda.yaml"
    assert asked in (folder / BUILD_LOG).read_text()
    assert yaml.safe_load((folder / "conda.yaml").read_text()) == {
        "channels": ["conda-forge"],
        "dependencies": ["python=3.11", "gdal"],
    }
    code = "import six, ipykernel; print(six.__version__)"
    done = subprocess.run([result.python, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1.16.0\n"


def test_a_failure_leaves_a_message_and_nothing_to_use(tmp_path: Path) -> None:
    folder = folder_for(tmp_path / "env", SourceKind.REQUIREMENTS, "six==999.0\n")
    builds.build(folder)
    failure = BuildFailure.model_validate_json((folder / FAILED).read_text())
    assert failure.message.startswith("No solution found")
    assert "six==999.0" in failure.message
    assert "\n" not in failure.message
    assert not (folder / "venv").exists()
    assert not (folder / DONE).exists()


def test_of_what_uv_says_the_error_is_kept() -> None:
    text = (
        "Using Python 3.11.2 environment at: venv\nResolved 30 packages in 619ms\n"
        "Downloading jedi (4.7MiB)\n Downloaded jedi\nPrepared 30 packages in 1.22s\n"
        "error: Failed to install: six-1.16.0-py2.py3-none-any.whl\n"
        "  Caused by: failed to copy /env/venv/six.py: No space left on device (os error 28)\n"
    )
    assert builds.said(text, {"/env/": ""}) == (
        "Failed to install: six-1.16.0-py2.py3-none-any.whl "
        "Caused by: failed to copy venv/six.py: No space left on device (os error 28)"
    )


def test_two_at_once_build_once(tmp_path: Path) -> None:
    folder = folder_for(tmp_path / "env", SourceKind.REQUIREMENTS, "six==1.16.0\n")
    command = [sys.executable, "-m", "perijove.runner.build", str(folder)]
    first, second = subprocess.Popen(command), subprocess.Popen(command)
    assert (first.wait(120), second.wait(120)) == (0, 0)
    assert (folder / DONE).exists()
    assert (folder / BUILD_LOG).read_text().count(" venv --python") == 1


def test_without_uv_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingExtra, match="pip install uv"):
        builds.uv()
