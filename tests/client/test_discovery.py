"""Where the workspace is, and why its hub does not start."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from perijove.client import discovery
from perijove.errors import HubUnreachable, InvalidInput
from perijove.models.workspaces import WorkspaceFolder


def no_home(cls: type[Path]) -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERIJOVE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", classmethod(no_home))
    with pytest.raises(InvalidInput, match="no home folder") as refused:
        discovery.workspace_folder()
    assert refused.value.field == "PERIJOVE_HOME"


class Usage(NamedTuple):
    free: int


def test_a_hub_that_finds_no_space_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(folder: WorkspaceFolder) -> subprocess.Popen[bytes]:
        folder.hub_log.touch()
        return subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"])

    monkeypatch.setattr(discovery, "_start", silent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free=0))
    with pytest.raises(HubUnreachable, match=f"no space is left for {tmp_path}"):
        discovery.ensure_hub(WorkspaceFolder(tmp_path, "default"))


@pytest.mark.parametrize("guest", discovery.GUESTS)
def test_jobs_and_instances_start_no_hub(
    guest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(guest, "x")
    with pytest.raises(HubUnreachable, match="is not reached from here"):
        discovery.ensure_hub(WorkspaceFolder(tmp_path / "home", "default"))
    assert not (tmp_path / "home").exists()
