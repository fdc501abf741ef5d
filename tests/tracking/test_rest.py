"""The hub's client of MLflow, against the real server and through what can go wrong before it."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from perijove.abc import Tracker
from perijove.errors import InvalidInput, TrackingUnreachable
from perijove.testing.trackers import InMemoryTracker, TrackerContract
from perijove.tracking.rest import RestTracker
from tracking.conftest import OWNER, Served

pytestmark = pytest.mark.asyncio


class TestInMemoryTracker(TrackerContract):
    @pytest.fixture
    def tracker(self) -> Tracker:
        return InMemoryTracker()


@pytest.mark.integration
class TestRestTracker(TrackerContract):
    @pytest_asyncio.fixture(params=["embedded", "existing"])
    async def tracker(self, mlflow: Served, request: Any) -> AsyncIterator[Tracker]:
        embedded = request.param == "embedded"
        made = RestTracker(mlflow.uri, token=OWNER, assigns_run_ids=embedded)
        yield made
        await made.close()


@pytest_asyncio.fixture
async def existing(mlflow: Served) -> AsyncIterator[RestTracker]:
    """The same server as if it were somebody else's, which gives runs their ids itself."""
    made = RestTracker(mlflow.uri, token=OWNER)
    yield made
    await made.close()


async def start(tracker: Tracker, job_id: str, experiment: str = "0") -> str:
    return await tracker.ensure_run(
        job_id, experiment, run_id=None, name="n", start_time_ms=1000, tags={}
    )


def runs_of(mlflow: Served, job_id: str) -> list[dict[str, Any]]:
    """All runs of the job, in every experiment."""
    found = mlflow.post("experiments/search", {"max_results": 1000}).json()["experiments"]
    body = {
        "experiment_ids": [experiment["experiment_id"] for experiment in found],
        "filter": f"tags.`perijove.job_id` = '{job_id}'",
    }
    runs: list[dict[str, Any]] = mlflow.post("runs/search", body).json().get("runs", [])
    return runs


def run_data(mlflow: Served, run_id: str, kind: str) -> dict[str, Any]:
    with mlflow.client() as client:
        found = client.get("/api/2.0/mlflow/runs/get", params={"run_id": run_id}).json()
    return {item["key"]: item["value"] for item in found["run"]["data"].get(kind, [])}


Answer = Callable[[httpx.Response], bytes]


@asynccontextmanager
async def proxy(mlflow: Served, spoil: Callable[[str], Answer | None]) -> AsyncIterator[str]:
    """Passes every request on, and may answer something else than MLflow did."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        method, path, _ = lines[0].split()
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        given = {key.lower(): value for key, value in headers.items()}
        body = await reader.readexactly(int(given.get("content-length", 0)))
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            answer = await client.request(
                method,
                mlflow.uri + path,
                content=body,
                headers={
                    key: given[key] for key in ("authorization", "content-type") if key in given
                },
            )
        spoiled = spoil(path)
        if spoiled is None:
            length = f"HTTP/1.1 {answer.status_code} X\r\nContent-Length: {len(answer.content)}"
            writer.write(f"{length}\r\nConnection: close\r\n\r\n".encode() + answer.content)
        else:
            writer.write(spoiled(answer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def _unavailable(_: httpx.Response) -> bytes:
    return b"HTTP/1.1 503 X\r\nContent-Length: 9\r\nConnection: close\r\n\r\nsorry, no"


def _dropped(_: httpx.Response) -> bytes:
    return b""


def _page(_: httpx.Response) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"


@pytest.mark.integration
@pytest.mark.parametrize("answer", [_unavailable, _dropped, _page])
@pytest.mark.parametrize("embedded", [True, False])
async def test_a_run_that_was_made_unseen(mlflow: Served, answer: Answer, embedded: bool) -> None:
    """A proxy that commits and then answers 503 makes no second run."""
    left = 2

    def spoil(path: str) -> Answer | None:
        nonlocal left
        if not path.endswith("runs/create") or not left:
            return None
        left -= 1
        return answer

    job_id, chosen = uuid4().hex, uuid4().hex if embedded else None
    async with proxy(mlflow, spoil) as uri:
        tracker = RestTracker(uri, token=OWNER, assigns_run_ids=embedded)
        for _ in range(5):
            try:
                made = await tracker.ensure_run(
                    job_id, "0", run_id=chosen, name="n", start_time_ms=1, tags={}
                )
                break
            except TrackingUnreachable:
                continue
        await tracker.close()
    assert [run["info"]["run_id"] for run in runs_of(mlflow, job_id)] == [made]
    assert chosen in (None, made)


@pytest.mark.integration
async def test_of_two_runs_one_stays(mlflow: Served, existing: RestTracker) -> None:
    job_id = uuid4().hex
    tags = [{"key": "perijove.job_id", "value": job_id}]
    for start_time in (2000, 1000, 3000):
        mlflow.post("runs/create", {"experiment_id": "0", "start_time": start_time, "tags": tags})
    kept = await start(existing, job_id)
    (left,) = runs_of(mlflow, job_id)
    assert (left["info"]["run_id"], left["info"]["start_time"]) == (kept, 1000)


@pytest.mark.integration
async def test_the_run_that_user_code_writes_to_stays(
    mlflow: Served, existing: RestTracker
) -> None:
    job_id = uuid4().hex
    await start(existing, job_id)
    elsewhere = await existing.ensure_experiment(uuid4().hex)
    tags = {"perijove.job_id": job_id, "perijove.made_by": "job"}
    body = {
        "experiment_id": elsewhere,
        "start_time": 5000,
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
    }
    theirs = mlflow.post("runs/create", body).json()["run"]["info"]["run_id"]
    assert await start(existing, job_id) == theirs
    assert [run["info"]["run_id"] for run in runs_of(mlflow, job_id)] == [theirs]


@pytest.mark.integration
async def test_a_deleted_experiment_comes_back(mlflow: Served, existing: RestTracker) -> None:
    name = uuid4().hex
    made = await existing.ensure_experiment(name)
    assert mlflow.post("experiments/delete", {"experiment_id": made}).is_success
    assert await existing.ensure_experiment(name) == made
    assert (made, name) in await existing.experiments()


@pytest.mark.integration
async def test_an_experiment_asked_for_at_once(existing: RestTracker) -> None:
    name = uuid4().hex
    made = await asyncio.gather(*(existing.ensure_experiment(name) for _ in range(8)))
    assert len(set(made)) == 1


@pytest.mark.integration
async def test_what_was_written(mlflow: Served, existing: RestTracker, tmp_path: Path) -> None:
    run_id = await start(existing, uuid4().hex)
    await existing.log_params(run_id, {"rate": "0.1", "long": "ü" * 9000})
    await existing.log_params(run_id, {"rate": "0.2", "depth": "3"})
    await existing.set_tags(run_id, {"odd": "a\ud800b"})
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * 10_000)
    await existing.log_artifacts(run_id, [(file, "outputs/ü #?%41.bin"), (file, "outputs/ü?.bin")])
    await existing.end_run(run_id, "KILLED", 2000)
    params = run_data(mlflow, run_id, "params")
    assert params == {"rate": "0.1", "long": "ü" * 6000, "depth": "3"}
    assert run_data(mlflow, run_id, "tags")["odd"] == "a?b"
    outputs = mlflow.folder.mlflow / "artifacts/0" / run_id / "artifacts/outputs"
    # MLflow refuses # and % in paths
    for name in ("ü?.bin", "ü ~23?~2541.bin"):
        assert (outputs / name).read_bytes() == file.read_bytes()
    assert (
        runs_of(mlflow, run_data(mlflow, run_id, "tags")["perijove.job_id"])[0]["info"]["status"]
        == "KILLED"
    )


@pytest.mark.integration
async def test_what_user_code_has_ended_stays_so(mlflow: Served, existing: RestTracker) -> None:
    job_id = uuid4().hex
    run_id = await start(existing, job_id)

    async def ended(status: str, at: int, since: int | None) -> str:
        await existing.end_run(run_id, status, at, unless_since_ms=since)
        return str(runs_of(mlflow, job_id)[0]["info"]["status"])

    assert await ended("FAILED", 2000, None) == "FAILED"  # as a client of MLflow's does
    assert await ended("FINISHED", 3000, 1000) == "FAILED"
    assert await ended("FINISHED", 3000, 2000) == "FAILED"
    assert await ended("FINISHED", 3000, 2001) == "FINISHED"  # an attempt before called it so
    assert await ended("FINISHED", 4000, 0) == "FINISHED"


@pytest.mark.integration
async def test_files_for_another_store_go_through_mlflow(
    mlflow: Served, existing: RestTracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", OWNER)
    run_id = await start(existing, uuid4().hex)
    (tmp_path / "a").write_text("text")
    # as a server answers whose artifacts are not served by itself
    existing._locations[run_id] = "s3://bucket/somewhere"
    await existing.log_artifacts(run_id, [(tmp_path / "a", "notebook/b.txt")])
    stored = mlflow.folder.mlflow / "artifacts/0" / run_id / "artifacts/notebook/b.txt"
    assert stored.read_text() == "text"


@pytest.mark.integration
async def test_metrics(mlflow: Served, existing: RestTracker, monkeypatch: Any) -> None:
    monkeypatch.setattr("perijove.tracking.rest.HISTORY_PAGE", 3)
    run_id = await start(existing, uuid4().hex)
    points = [{"key": "loss", "value": i, "timestamp": i, "step": 7 - i} for i in range(8)]
    odd = [
        {"key": "odd", "value": value, "timestamp": 1, "step": step}
        for step, value in enumerate(["NaN", "Infinity", "-Infinity"])
    ]
    assert mlflow.post("runs/log-batch", {"run_id": run_id, "metrics": points + odd}).is_success
    found = await existing.metrics(run_id)
    assert [(p.step, p.value) for p in found["loss"]] == [(7 - i, i) for i in range(7, -1, -1)]
    # MLflow's databases cannot hold an infinity; it stores the largest number
    assert found["odd"][0].value == "NaN"
    json.dumps([point.model_dump() for point in found["odd"]], allow_nan=False)


async def test_nobody_there(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tracker = RestTracker("http://127.0.0.1:1", token=OWNER)
    assert not await tracker.ready()
    with pytest.raises(TrackingUnreachable):
        await tracker.ensure_experiment("x")
    await tracker.close()
    assert OWNER not in caplog.text


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (503, "no", TrackingUnreachable), (502, "{}", TrackingUnreachable),
        (401, "{}", TrackingUnreachable), (403, '{"message": "x"}', TrackingUnreachable),
        (429, "{}", TrackingUnreachable), (302, "", TrackingUnreachable),
        (404, "<html>", TrackingUnreachable), (200, "<html>", TrackingUnreachable),
        (200, "[]", TrackingUnreachable), (413, "<html>", InvalidInput),
        (400, '{"error_code": "INVALID_PARAMETER_VALUE", "message": "x"}', InvalidInput),
    ],
)  # fmt: skip
async def test_what_an_answer_means(
    status: int, body: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = RestTracker("http://127.0.0.1:1")
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=body))
    monkeypatch.setattr(
        tracker._connection, "http", httpx.AsyncClient(transport=transport, base_url="http://h")
    )
    with pytest.raises(error):
        await tracker.end_run("r", "FINISHED", 1)
    await tracker.close()


async def test_credentials_as_mlflow_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization", ""))
        return httpx.Response(200, content="{}")

    async def ask(token: str | None) -> str:
        tracker = RestTracker("http://127.0.0.1:1", token=token)
        tracker._connection.http._transport = httpx.MockTransport(answer)
        await tracker.end_run("r", "FINISHED", 1)
        await tracker.close()
        return str(seen[-1])

    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME", raising=False)
    assert await ask(None) == ""
    assert await ask("token") == "Bearer token"
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "user")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "word")
    assert (await ask(None)).startswith("Basic ")


async def test_the_hub_does_not_import_mlflow() -> None:
    code = (
        "import sys, perijove.tracking.rest, perijove.tracking.server;"
        "print('mlflow' in sys.modules)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    assert (await process.communicate())[0] == b"False\n"
