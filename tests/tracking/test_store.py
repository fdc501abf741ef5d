"""What the embedded server's store adds to MLflow's: chosen ids, refusals, WAL, datagrams."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest

from tracking.conftest import API, Served, attempt_token

pytestmark = pytest.mark.integration


def _tags(**tags: str) -> list[dict[str, str]]:
    return [{"key": f"perijove.{key}", "value": value} for key, value in tags.items()]


def test_a_chosen_run_id_is_honoured_once(mlflow: Served) -> None:
    run_id, job_id = uuid4().hex, uuid4().hex
    body = {"experiment_id": "0", "tags": _tags(run_id=run_id, job_id=job_id)}
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: mlflow.post("runs/create", body).json(), range(16)))
    assert {run["run"]["info"]["run_id"] for run in made} == {run_id}
    assert run_id in made[0]["run"]["info"]["artifact_uri"]
    kept = {tag["key"]: tag["value"] for tag in made[0]["run"]["data"]["tags"]}
    assert kept["perijove.job_id"] == job_id
    assert "perijove.run_id" not in kept
    found = mlflow.post(
        "runs/search",
        {"experiment_ids": ["0"], "filter": f"tags.`perijove.job_id` = '{job_id}'"},
    )
    assert len(found.json()["runs"]) == 1


def test_a_job_that_has_a_run_gets_no_other(mlflow: Served) -> None:
    job_id = uuid4().hex
    first = mlflow.make_run(job_id)
    body = {"experiment_id": "0", "tags": _tags(run_id=uuid4().hex, job_id=job_id)}
    assert mlflow.post("runs/create", body).json()["run"]["info"]["run_id"] == first


def test_runs_without_a_chosen_id_differ(mlflow: Served) -> None:
    made = {
        mlflow.post("runs/create", {"experiment_id": "0"}).json()["run"]["info"]["run_id"]
        for _ in range(3)
    }
    assert len(made) == 3


@pytest.mark.parametrize("run_id", ["", "x", "A" * 32, "a" * 31, "../" + "a" * 29])
def test_a_chosen_id_is_hexadecimal(mlflow: Served, run_id: str) -> None:
    answer = mlflow.post("runs/create", {"experiment_id": "0", "tags": _tags(run_id=run_id)})
    assert answer.status_code == 400
    assert "32 hexadecimal digits" in answer.json()["message"]


def test_attempts_choose_no_ids(mlflow: Served) -> None:
    run_id = mlflow.make_run()
    token = attempt_token(mlflow.folder, run_id, job_id := uuid4().hex)
    tags = _tags(run_id=uuid4().hex)
    other = _tags(job_id=uuid4().hex)
    for path, body in (
        ("runs/create", {"experiment_id": "0", "tags": tags}),
        ("runs/create", {"experimentId": "0", "tags": other}),
        ("experiments/create", {"name": uuid4().hex, "tags": _tags(experiment_id="77")}),
        ("runs/set-tag", {"run_id": run_id, **tags[0]}),
        ("runs/set-tag", {"run_id": run_id, **other[0]}),
        ("runs/log-batch", {"run_id": run_id, "tags": tags}),
    ):
        for sent in (body, json.dumps(body)):  # MLflow reads JSON in a JSON string, too
            answer = mlflow.post(path, sent, token)
            assert answer.status_code == 403, (sent, answer.text)
            assert answer.json()["error_code"] == "PERMISSION_DENIED"
    own = {"experiment_id": "0", "tags": _tags(job_id=job_id)}
    assert mlflow.post("runs/create", own, token).status_code == 200


@pytest.mark.parametrize("key", ["artifact_location", "artifactLocation"])
@pytest.mark.parametrize("location", ["/etc", "file:///tmp/x", "s3://bucket/x", "x"])
def test_artifacts_stay_in_their_folder(mlflow: Served, key: str, location: str) -> None:
    body = {"name": uuid4().hex, key: location}
    for sent in (body, json.dumps(body)):
        answer = mlflow.post("experiments/create", sent)
        assert answer.status_code == 403
        assert "artifact_location must be left out" in answer.json()["message"]


def test_artifact_locations_of_our_own(mlflow: Served) -> None:
    for extra in ({}, {"artifact_location": "mlflow-artifacts:/elsewhere"}):
        answer = mlflow.post("experiments/create", {"name": uuid4().hex} | extra)
        assert answer.status_code == 200


def _query(mlflow: Served, statement: str) -> Any:
    with closing(sqlite3.connect(mlflow.folder.mlflow / "mlflow.db")) as connection:
        return connection.execute(statement).fetchall()


def test_the_database_is_in_wal_mode_and_counted(mlflow: Served) -> None:
    assert _query(mlflow, "PRAGMA journal_mode") == [("wal",)]
    assert _query(mlflow, "SELECT count(*) FROM sqlite_stat1")[0][0] > 0


def test_metrics_reach_the_hub(mlflow: Served) -> None:
    job_id = uuid4().hex
    run_id = mlflow.make_run(job_id)
    token = attempt_token(mlflow.folder, run_id, job_id)
    mlflow.datagrams()
    body = {"run_id": run_id, "key": "loss", "value": 0.5, "timestamp": 1, "step": 2}
    assert mlflow.post("runs/log-metric", body, token).status_code == 200
    assert mlflow.post("runs/log-metric", json.dumps(body | {"value": "NaN"}), token).is_success
    point = {"key": "loss", "value": 0.5, "step": 2, "timestamp": 1}
    about = {"run_id": run_id, "job_id": job_id, "attempt": 1}
    assert mlflow.datagrams() == [
        about | {"metrics": [point]},
        about | {"metrics": [point | {"value": "NaN"}]},
    ]


def test_many_metrics_reach_the_hub_in_pieces(mlflow: Served) -> None:
    job_id = uuid4().hex
    run_id = mlflow.make_run(job_id)
    token = attempt_token(mlflow.folder, run_id, job_id)
    mlflow.datagrams()
    points = [
        {"key": f"{i:03}" + "k" * 240, "value": float(i), "timestamp": i, "step": i}
        for i in range(500)
    ]
    assert mlflow.post("runs/log-batch", {"run_id": run_id, "metrics": points}, token).is_success
    pieces = mlflow.datagrams()
    assert len(pieces) > 1
    assert all(len(json.dumps(piece)) < 60_000 for piece in pieces)
    assert [point for piece in pieces for point in piece["metrics"]] == points


def test_what_the_hub_is_not_told(mlflow: Served) -> None:
    """Refused metrics, those of other runs, and those it logged itself."""
    run_id, other = mlflow.make_run(), mlflow.make_run()
    token = attempt_token(mlflow.folder, run_id)
    mlflow.datagrams()
    body = {"run_id": run_id, "key": "loss", "value": 0.5, "timestamp": 1}
    assert mlflow.post("runs/log-metric", body | {"key": "bad\nkey"}, token).status_code == 400
    assert mlflow.post("runs/log-metric", body | {"run_id": other}, token).is_success
    assert mlflow.post("runs/log-metric", body).is_success
    assert mlflow.datagrams() == []


def test_artifacts_of_jobs(mlflow: Served) -> None:
    run_id = mlflow.make_run()
    url = f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/outputs/a.html"
    with mlflow.client(attempt_token(mlflow.folder, run_id)) as client:
        assert client.put(url, content=b"<script>").status_code == 200
        found = client.get(url)
        assert found.content == b"<script>"
        assert "attachment" in found.headers["content-disposition"]
        assert client.get(f"{API}/artifacts/list", params={"run_id": run_id}).json()["files"] == [
            {"path": "outputs", "is_dir": True}
        ]
