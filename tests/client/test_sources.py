"""From a path as a user types it to what the hub takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import MakeNotebook
from perijove.client.sources import locate


def test_in_a_job_a_link_beside_the_notebook_is_the_file(
    notebook: MakeNotebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = notebook("1", name="train.ipynb")
    (tmp_path / "work").mkdir()
    link = tmp_path / "work" / "train.ipynb"
    link.symlink_to(path)
    assert locate(link) == (str(link.parent), link.name)  # for the hub to refuse
    monkeypatch.setenv("PERIJOVE_JOB_ID", "x")
    assert locate(link) == (str(path.parent), path.name)
