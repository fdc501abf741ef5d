"""papermill's own tests, with our engine as its default: what passes without it passes with it.

The tests of its cloud modules need those clouds' packages; they are not collected in either run.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

PLUGIN = """
from papermill.engines import papermill_engines
from perijove.runner.engine import PerijoveEngine
papermill_engines.register(None, PerijoveEngine)
"""


def _outcomes(folder: Path, *options: str, tests: Iterable[str] = ("",)) -> dict[str, str]:
    [suite] = importlib.import_module("papermill.tests").__path__
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", f"--rootdir={suite}", "-v", "--color=no"),
            *(f"{suite}/{test}" for test in tests),
            *("-p", "no:cacheprovider", "-o", "addopts=", "-W", "ignore"),
            *("--continue-on-collection-errors", *options),
        ],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"^(\S+::.+) ([A-Z]+) +\[ *\d+%\]$", done.stdout, re.MULTILINE)
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    return dict(found)


def test_all_that_passes_without_our_engine_passes_with_it(tmp_path: Path) -> None:
    (tmp_path / "our_engine.py").write_text(PLUGIN)
    with_ours = _outcomes(tmp_path, "-p", "our_engine")
    others = {name for name, outcome in with_ours.items() if outcome != "PASSED"}
    assert len(with_ours) - len(others) > 200
    # only those that did not pass need to be tried without it
    without = _outcomes(tmp_path, tests=sorted(others)) if others else {}
    assert set(without) == others
    assert {name for name, outcome in without.items() if outcome == "PASSED"} == set()
