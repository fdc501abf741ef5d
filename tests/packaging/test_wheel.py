"""The wheel in an empty environment without Node: panel, server extension, CLI and SDK work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import write_notebook

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


def run(*command: object, **environ: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        env=os.environ | environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def test_the_wheel_works_without_node(tmp_path: Path) -> None:
    bin_folder = Path(sys.executable).parent
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT)
    [wheel] = tmp_path.glob("*.whl")
    run(sys.executable, "-m", "venv", tmp_path / "env")
    python = tmp_path / "env/bin/python"
    uv = bin_folder / "uv"
    pins = ROOT / "requirements/run.txt"
    run(uv, "pip", "install", "--python", python, "--require-hashes", "-r", pins)
    run(uv, "pip", "install", "--python", python, "--no-deps", wheel)
    clean = {"PATH": f"{python.parent}:/usr/bin:/bin", "PERIJOVE_HOME": str(tmp_path / "home")}
    if (Path("/usr/bin/node")).exists():
        clean["PATH"] = str(python.parent)
    listed = run(python.parent / "jupyter", "labextension", "list", **clean)
    assert "perijove v0.1.0" in listed
    assert "enabled" in listed
    listed = run(python.parent / "jupyter", "server", "extension", "list", **clean)
    assert "perijove" in listed
    notebook = write_notebook(tmp_path / "n.ipynb", "print(6 * 7)")
    perijove = python.parent / "perijove"
    run(perijove, "job", "submit", notebook, "--wait", "--json", **clean)
    [job] = json.loads(run(perijove, "job", "list", "--json", **clean))
    assert job["state"] == "succeeded"
    code = "import perijove as pj; print(pj.Workspace().jobs.list()[0].state)"
    assert "succeeded" in run(python, "-c", code, **clean)
    run(perijove, "down", "--force", **clean)
