"""What the SDK makes of parameters before it sends them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from conftest import write_notebook
from perijove.client.http import HubClient
from perijove.client.jobs import Job, Jobs
from perijove.errors import HubUnreachable, InvalidInput, NotFound
from perijove.models.jobs import Job as JobData


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


def make_job(state: str = "running") -> JobData:
    given = {"id": "4f2c", "kind": "notebook", "name": "n", "state": state, "experiment": "e"}
    given |= {"compute": "local", "path": "n.ipynb", "root": "/", "created_at": datetime.now(UTC)}
    given |= {"parameters": {}, "tags": {}}
    return JobData.model_validate(given)


class _Killed:
    """A hub that is killed in the middle of a log, and one that serves the whole."""

    def __init__(self) -> None:
        self.asked = 0
        self.ended = make_job(state="succeeded").model_dump(mode="json")

    @contextmanager
    def stream(self, path: str, /, **query: Any) -> Iterator[Any]:
        self.asked += 1
        yield self

    def iter_text(self) -> Iterator[str]:
        yield "line 1\nli"
        if self.asked == 1:
            raise HubUnreachable("gone")
        yield from ["ne 2\n", "line 3\n"]

    def request(self, method: str, path: str, **content: Any) -> Any:
        return self.ended


def test_a_log_that_is_followed_survives_the_hub() -> None:
    hub = _Killed()
    job = Job(cast(HubClient, hub), make_job())
    assert "".join(job.logs(follow=True)) == "line 1\nline 2\nline 3\n"
    assert hub.asked == 2


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "\udcff"])
def test_what_is_no_part_of_a_path_is_no_job(name: str) -> None:
    with pytest.raises(NotFound) as refused:
        Jobs(cast(HubClient, _Hub())).get(name)
    assert refused.value.field == "id"
