"""User code makes everything once, where answers are lost after the work was done."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tracking.conftest import API, OWNER, Served
from tracking.lossy import lossy

pytestmark = pytest.mark.integration

LOST = (
    "experiments/create", "runs/create", "logged-models", "registered-models/create",
    "model-versions/create", "registered-models/alias", "runs/log-batch", "runs/log-metric",
)  # fmt: skip
CODE = """
import json, mlflow
from mlflow import MlflowClient
client = MlflowClient()
made = client.create_experiment("lossy")
with mlflow.start_run(experiment_id=made) as run:
    mlflow.log_metric("m", 1, step=1, timestamp=7)
    mlflow.log_metrics({"m": 2}, step=2)
    with mlflow.start_run(experiment_id=made, nested=True) as child:
        model = mlflow.initialize_logged_model("weights")
second = client.create_run(made)
client.create_registered_model("lossy")
version = client.create_model_version("lossy", run.info.artifact_uri + "/x", run.info.run_id)
client.set_registered_model_alias("lossy", "best", version.version)
print(json.dumps({
    "experiment": made,
    "runs": sorted([run.info.run_id, child.info.run_id, second.info.run_id]),
    "model": model.model_id,
    "version": version.version,
    "points": len(client.get_metric_history(run.info.run_id, "m")),
}))
"""


@pytest.fixture(params=["embedded", "existing"])
def server(request: pytest.FixtureRequest) -> tuple[str, dict[str, str]]:
    """Its address, and what a job's environment has for it."""
    if request.param == "embedded":
        return request.getfixturevalue("mlflow").uri, {"MLFLOW_TRACKING_TOKEN": OWNER}
    return request.getfixturevalue("existing"), {"PERIJOVE_EXISTING_MLFLOW": "true"}


@pytest.mark.parametrize("spooled", [True, False])
def test_what_was_made_unseen_is_not_made_again(
    mlflow: Served, server: tuple[str, dict[str, str]], spooled: bool, tmp_path: Path
) -> None:
    target, environ = server
    seen = Counter[str]()

    def lost(method: str, path: str) -> bool:
        route = path.partition("?")[0].rpartition("mlflow/")[2]
        seen[route] += method == "POST"
        return method == "POST" and route in LOST and seen[route] == 1

    environ = environ | {"MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0"}
    code = CODE.replace('"lossy"', f'"lossy-{spooled}"')
    with lossy(target, lost) as uri:
        if spooled:
            spool = {"PERIJOVE_SPOOL": str(tmp_path / "mlflow.spool"), "PERIJOVE_SPOOL_URI": uri}
            environ = environ | spool
        done = mlflow.python(code, **environ | {"MLFLOW_TRACKING_URI": uri})
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout.splitlines()[-1])
    assert set(LOST) - set(seen) <= ({"runs/log-metric"} if spooled else {"runs/log-batch"})

    token = {"Authorization": f"Bearer {OWNER}"}
    with httpx.Client(base_url=target + API, headers=token, timeout=60, trust_env=False) as client:

        def ask(path: str, **body: Any) -> Any:
            answer = client.post(path, json=body)
            return answer.raise_for_status().json()

        ids = [told["experiment"]]
        runs = ask("/runs/search", experiment_ids=ids)["runs"]
        assert sorted(run["info"]["run_id"] for run in runs) == told["runs"]
        models = ask("/logged-models/search", experiment_ids=ids)["models"]
        assert [model["info"]["model_id"] for model in models] == [told["model"]]
        assert told["version"] == "1"
        query = {"filter": f"name = 'lossy-{spooled}'"}
        found = client.get("/model-versions/search", params=query).json()["model_versions"]
        assert [item["version"] for item in found] == ["1"]
        query = {"name": f"lossy-{spooled}", "alias": "best"}
        found = client.get("/registered-models/alias", params=query).json()["model_version"]
        assert found["version"] == "1"
        assert told["points"] == 2


def test_a_request_is_known_again_after_a_kill(mlflow: Served) -> None:
    """The note is in the database, beside what was made; other requests have other keys."""

    def create(key: str) -> str:
        with mlflow.client() as client:
            made = client.post(
                f"{API}/runs/create", json={"experiment_id": "0"}, headers={"Idempotency-Key": key}
            )
            return str(made.json()["run"]["info"]["run_id"])

    first = create("0" * 32)
    os.kill(mlflow.server.pid or 0, signal.SIGKILL)  # who comes now waits for the next one
    assert create("0" * 32) == first
    assert create("1" * 32) != first
