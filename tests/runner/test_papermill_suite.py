"""papermill's own tests, with our engine as its default: what passes without it passes with it.

The tests of its cloud modules need those clouds' packages; they are not collected in either run.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

PLUGIN = """
from papermill.engines import papermill_engines
from perijove.runner.engine import PerijoveEngine
papermill_engines.register(None, PerijoveEngine)
"""


def _outcomes(folder: Path, *words: str) -> dict[str, str]:
    """How the tests ended, by their names, relative to the folder; `words`: options and tests."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *words, "-v", "--color=no"),
            *("-p", "no:cacheprovider", "-o", "addopts=", "-W", "ignore"),
            "--continue-on-collection-errors",
        ],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"^(\S+::.+) ([A-Z]+) +\[ *\d+%\]$", done.stdout, re.MULTILINE)
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    return dict(found)


def test_all_that_passes_without_our_engine_passes_with_it(tmp_path: Path) -> None:
    (tmp_path / "our_engine.py").write_text(PLUGIN)
    [suite] = importlib.import_module("papermill.tests").__path__
    with_ours = _outcomes(tmp_path, "-p", "our_engine", suite)
    others = {name for name, outcome in with_ours.items() if outcome != "PASSED"}
    assert len(with_ours) - len(others) > 200
    # only those that did not pass need to be tried without it
    without = _outcomes(tmp_path, *sorted(others)) if others else {}
    assert set(without) == others
    assert {name for name, outcome in without.items() if outcome == "PASSED"} == set()
