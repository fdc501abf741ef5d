"""Every gallery notebook runs as a job, and in plain papermill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import perijove

pytestmark = pytest.mark.integration

GALLERY = sorted((Path(__file__).parents[2] / "notebooks/gallery").glob("*.ipynb"))


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_as_a_job(path: Path, session_home: Path) -> None:
    done = perijove("job", "submit", str(path), "--wait", "--json", home=session_home)
    assert json.loads(done.stdout)["state"] == "succeeded", done.stdout


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_without_perijove(path: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "papermill", str(path), str(tmp_path / "out.ipynb")]
    done = subprocess.run(
        [*command, "--no-progress-bar"],
        cwd=tmp_path,
        env=os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
