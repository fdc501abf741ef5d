"""Every gallery notebook runs as a job, and those that need no cluster in plain papermill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from conftest import perijove

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
GALLERY = {path.stem: path for path in sorted((ROOT / "notebooks/gallery").glob("*.ipynb"))}
TORCH = Path(os.environ.get("PERIJOVE_TORCH", ROOT / ".venv-torch"))
"""A virtual environment with PyTorch: `scripts/ensure-torch` makes it."""
SMALL = {
    "compare": {"trees": 10, "folds": 2},
    "gridsearch": {"costs": [1.0, 10.0], "widths": [0.001], "folds": 2, "max_nodes": 1},
    "pytorch": {"epochs": 2},
    "sweep": {"depths": [2, 8], "forests": [10], "max_nodes": 1},
    "train": {"n_estimators": 20},
}
PLAIN = ["compare", "iris", "train"]
"""They use MLflow and nothing of ours."""


@pytest.mark.parametrize("name", GALLERY)
def test_as_a_job(name: str, session_home: Path) -> None:
    options = ["--environment", str(torch())] if name == "pytorch" else []
    parameters = json.dumps(SMALL.get(name, {}))
    before = targets(session_home)
    submit = ("job", "submit", str(GALLERY[name]), "-y", parameters, "--experiment", "gallery")
    done = perijove(*submit, *options, "--wait", "--json", home=session_home, timeout=300)
    job = json.loads(done.stdout)
    assert job["state"] == "succeeded", job
    executed = nbformat.read(job["output_notebook"], as_version=4)
    outputs = [output for cell in executed.cells for output in cell.get("outputs", ())]
    said = "".join(output.text for output in outputs if output.get("name") == "stderr")
    assert "Warning:" not in said
    assert targets(session_home) == before


def targets(home: Path) -> list[str]:
    """The names of the compute targets."""
    found = json.loads(perijove("compute", "list", "--json", home=home).stdout)
    return [target["name"] for target in found]


@pytest.mark.parametrize("name", PLAIN)
def test_without_perijove(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "papermill", str(GALLERY[name]), str(tmp_path / "out.ipynb")]
    done = subprocess.run(
        [*command, "--no-progress-bar", "-y", json.dumps(SMALL.get(name, {}))],
        cwd=tmp_path,
        env=os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("name", GALLERY)
def test_is_clean_and_says_what_its_parameters_are(name: str) -> None:
    notebook = nbformat.read(GALLERY[name], as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    (parameters,) = (cell for cell in code if "parameters" in cell.metadata.get("tags", []))
    for line in parameters.source.splitlines():
        assert ": " in line.partition("=")[0], f"{line}: no type"


def torch() -> Path:
    if (TORCH / "bin/python").exists():
        return TORCH
    if os.environ.get("CI"):
        pytest.fail("CI must have PyTorch: scripts/ensure-torch makes .venv-torch.")
    pytest.skip("There is no .venv-torch with PyTorch; scripts/ensure-torch says how to get it.")
