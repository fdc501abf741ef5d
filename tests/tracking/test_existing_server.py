"""A job recorded on an existing MLflow server, behind a proxy that loses an answer."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from conftest import configure, perijove, write_notebook
from tracking.lossy import lossy

pytestmark = pytest.mark.integration


def test_an_existing_server_behind_a_proxy_that_loses_answers(
    existing: str, home: Path, tmp_path: Path
) -> None:
    seen: list[str] = []

    def lost(_: str, path: str) -> bool:
        seen.append(path.rpartition("mlflow/")[2])
        return seen.count("runs/create") == 1 and seen[-1] == "runs/create"

    path = write_notebook(
        tmp_path / "n.ipynb", "import mlflow\nwith mlflow.start_run(): mlflow.log_metric('m', 1)"
    )
    with lossy(existing, lost) as uri:
        configure(home, tracking_uri=uri)
        done = perijove(
            *("job", "submit", str(path), "--experiment", "behind a proxy", "--wait", "--json"),
            home=home,
        )
        job = json.loads(done.stdout)
        assert (job["state"], job["recorded"]) == ("succeeded", True), job
        search = {"experiment_ids": [job["experiment_id"]], "max_results": 10}
        found = httpx.post(f"{existing}/api/2.0/mlflow/runs/search", json=search).json()["runs"]
        assert "runs/create" in seen
        assert [run["info"]["run_id"] for run in found] == [job["run_id"]]
        assert found[0]["info"]["status"] == "FINISHED"
        assert found[0]["data"]["metrics"][0]["key"] == "m"
