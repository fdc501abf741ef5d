"""What a killed process leaves in the temporary folder goes with the next that needs some."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from perijove.compute.scratch import scratch

HOLD = """
import os
from perijove.compute.scratch import scratch
with scratch("wheels") as folder:
    (folder / "big.whl").touch()
    os.utime(folder, (0, 0))
    print(folder, flush=True)
    input()
"""


def test_only_what_nobody_holds_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    other = tmp_path / "perijove-task-old"
    other.mkdir()
    os.utime(other, (0, 0))
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        with scratch("wheels") as mine:
            assert left.exists()
        assert not mine.exists()
        process.kill()
        process.wait()
    assert left.exists()
    with scratch("wheels"):
        assert not left.exists()
    assert other.exists()
