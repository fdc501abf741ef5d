"""A shell on a machine is a sign of its use, for as long as it is open."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from perijove.client import compute
from perijove.client.compute import ComputeTarget
from perijove.errors import Unreachable

WAIT = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)\nsys.exit(3)"


class Hub:
    """Counts signs; one of them gets lost. The shell ends after the fifth."""

    def __init__(self, end: Path) -> None:
        self.signs, self._end = 0, end

    def request(self, method: str, path: str, **_: Any) -> Any:
        assert (method, path) == ("POST", "/compute/box/connections")
        self.signs += 1
        if self.signs == 3:
            raise Unreachable("The hub is away.")
        if self.signs == 5:
            self._end.touch()
        return {"command": [sys.executable, "-c", WAIT, str(self._end)]}


def test_it_is_told_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "STAY", 0.01)
    hub: Any = Hub(tmp_path / "end")
    data: Any = type("Data", (), {"name": "box"})()
    assert ComputeTarget(hub, data).connect() == 3
    assert hub.signs >= 5
