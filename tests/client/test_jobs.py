"""What the SDK makes of parameters before it sends them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from conftest import write_notebook
from perijove.client.http import HubClient
from perijove.client.jobs import Jobs
from perijove.errors import InvalidInput


class _Hub:
    """Takes a submission and says no more."""

    def request(self, method: str, path: str, **content: Any) -> Any:
        self.sent = json.loads(content["content"])
        raise InvalidInput("enough")


def test_numbers_and_arrays_of_numpy_are_parameters(tmp_path: Path) -> None:
    hub = _Hub()
    path = write_notebook(tmp_path / "n.ipynb", "1")
    given = {"depth": np.int64(3), "rate": np.float32(0.5), "on": np.bool_(True), "x": np.arange(2)}
    with pytest.raises(InvalidInput, match="enough"):
        Jobs(cast(HubClient, hub)).submit(path, given)
    assert hub.sent["parameters"] == {"depth": 3, "rate": 0.5, "on": True, "x": [0, 1]}


def test_parameters_that_are_no_mapping_are_refused(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "n.ipynb", "1")
    with pytest.raises(InvalidInput) as refused:
        Jobs(cast(HubClient, _Hub())).submit(path, cast(Any, ["depth"]))
    assert refused.value.field == "parameters"
