"""papermill's own tests, with our engine as its default: what passes without it passes with it.

The tests of its cloud modules need those clouds' packages; they are not collected in either run.
"""

from __future__ import annotations

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


def _outcomes(folder: Path, *options: str) -> dict[str, str]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--pyargs", "papermill.tests", "-q", "-rA"),
            *(
                "-p",
                "no:cacheprovider",
                "-o",
                "addopts=",
                "-W",
                "ignore",
                "--continue-on-collection-errors",
                *options,
            ),
        ],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"^(PASSED|FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    return {name: outcome for outcome, name in found}


def test_all_that_passes_without_our_engine_passes_with_it(tmp_path: Path) -> None:
    (tmp_path / "our_engine.py").write_text(PLUGIN)
    without = _outcomes(tmp_path)
    with_ours = _outcomes(tmp_path, "-p", "our_engine")
    passed = {name for name, outcome in without.items() if outcome == "PASSED"}
    assert len(passed) > 200
    assert {name for name in passed if with_ours.get(name) != "PASSED"} == set()
