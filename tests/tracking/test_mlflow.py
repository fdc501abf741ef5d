"""MLflow itself: the embedded server behind our guard, and an existing server."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from conftest import perijove, write_notebook
from perijove.models.tokens import AttemptToken, sign, verify

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def up(session_home: Path) -> dict[str, str]:
    answer: dict[str, str] = json.loads(perijove("up", "--json", home=session_home).stdout)
    owner = {"Authorization": f"Bearer {answer['token']}"}
    url = f"{answer['tracking_uri']}/health"
    assert httpx.get(url, headers=owner, timeout=60).status_code == 200
    return answer


@pytest.fixture
def attempt(up: dict[str, str], session_home: Path, tmp_path: Path) -> dict[str, str]:
    """The Authorization header of a job's attempt, whose run exists."""
    path = write_notebook(tmp_path / "n.ipynb", "1")
    done = perijove("job", "submit", str(path), "--wait", "--json", home=session_home)
    job = json.loads(done.stdout)
    keys = json.loads((session_home / "workspaces/default/secrets.json").read_text())
    payload = AttemptToken(job_id=job["id"], attempt=1, run_id=job["run_id"])
    return {"Authorization": f"Bearer {sign(payload, keys['signing_key'])}"}


def _routes() -> list[tuple[str, str]]:
    """Every route MLflow's application has: Flask's, and some of FastAPI's."""
    code = (
        "import json; from mlflow.server import app; "
        "print(json.dumps([[m, str(r)] for r in app.url_map.iter_rules() for m in r.methods]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    flask = [(m, re.sub(r"<[^>]+>", "x", path)) for m, path in json.loads(done.stdout)]
    native = [
        ("GET", "/api/2.0/mlflow-artifacts/artifacts/x"),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/x"),
        ("POST", "/gateway/x/mlflow/invocations"),
        ("POST", "/v1/traces"),
        ("GET", "/ajax-api/3.0/jobs/x"),
        ("GET", "/nothing/of/the/kind"),
    ]
    return [(m, p) for m, p in flask if m in ("GET", "POST", "PUT", "PATCH", "DELETE")] + native


def test_every_route_refuses_without_credentials(up: dict[str, str]) -> None:
    routes = _routes()
    assert len(routes) > 100
    with httpx.Client(base_url=up["tracking_uri"]) as client:
        for method, path in routes:
            assert client.request(method, path).status_code == 401, (method, path)


def test_hosts_cookies_and_basic(up: dict[str, str]) -> None:
    uri, token = up["tracking_uri"], up["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{uri}/health", headers=bearer | {"Host": "evil.example"}).status_code == 403
    assert httpx.get(f"{uri}/health", auth=("anybody", token)).status_code == 200
    answer = httpx.get(f"{uri}/?token={token}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "HttpOnly" in answer.headers["set-cookie"]
    cookie = answer.headers["set-cookie"].split(";")[0]
    assert httpx.get(f"{uri}/health", headers={"Cookie": cookie}).status_code == 200
    assert httpx.get(f"{uri}/?token=wrong").status_code == 401


def test_an_attempt_may_track_and_not_administer(
    up: dict[str, str], attempt: dict[str, str]
) -> None:
    owner = {"Authorization": f"Bearer {up['token']}"}

    def post(path: str, body: dict[str, Any], headers: dict[str, str]) -> int:
        url = f"{up['tracking_uri']}/api/2.0/mlflow/{path}"
        return httpx.post(url, json=body, headers=headers).status_code

    assert post("experiments/search", {"max_results": 1}, attempt) == 200
    assert post("experiments/delete", {"experiment_id": "0"}, attempt) == 403
    assert post("experiments/restore", {"experiment_id": "0"}, attempt) == 403
    chosen = {"experiment_id": "0", "tags": [{"key": "perijove.run_id", "value": "0" * 32}]}
    assert post("runs/create", chosen, attempt) == 403
    forged = {"Authorization": attempt["Authorization"][:-4] + "AAAA"}
    assert post("experiments/search", {"max_results": 1}, forged) == 401
    outside = {"name": "out", "artifact_location": "/etc"}
    assert post("experiments/create", outside, owner) == 403


def test_a_chosen_run_is_made_once(up: dict[str, str]) -> None:
    owner = {"Authorization": f"Bearer {up['token']}"}
    url = f"{up['tracking_uri']}/api/2.0/mlflow/runs/create"
    tags = [
        {"key": "perijove.run_id", "value": "ab" * 16},
        {"key": "perijove.job_id", "value": "j"},
    ]
    body = {"experiment_id": "0", "tags": tags}
    made = [httpx.post(url, json=body, headers=owner).json() for _ in range(2)]
    assert {run["run"]["info"]["run_id"] for run in made} == {"ab" * 16}


def test_sqlite_is_in_wal_mode(up: dict[str, str], session_home: Path) -> None:
    database = session_home / "workspaces/default/mlflow/mlflow.db"
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_tokens_cannot_be_forged() -> None:
    payload = AttemptToken(job_id="j", attempt=1, run_id="r")
    token = sign(payload, "key")
    assert verify(token, "key") == payload
    for wrong in (token[:-1], token + "x", token.replace(".", "", 1), "", "pja..", "é"):
        assert verify(wrong, "key") is None
    assert verify(token, "other") is None


@pytest.fixture
def existing(tmp_path: Path) -> Iterator[str]:
    """A plain MLflow server, as anybody runs one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = os.environ | {
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{tmp_path}/existing.db",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(tmp_path / "existing"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    app = "mlflow.server.fastapi_app:app"
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port)]
    server = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
    uri = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            if httpx.get(f"{uri}/health").status_code == 200:
                break
        except httpx.HTTPError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    yield uri
    server.terminate()
    server.wait(20)


class Lossy(BaseHTTPRequestHandler):
    """Passes everything on; the first run that is made is answered with 503, after it was made."""

    target = ""
    lost = 0

    def _pass_on(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else self._chunked()
        kept = ("content-type", "authorization")
        headers = {k: v for k, v in self.headers.items() if k.lower() in kept}
        url = Lossy.target + self.path
        answer = httpx.request(self.command, url, content=body, headers=headers, timeout=60)
        status, content = answer.status_code, answer.content
        if self.path.endswith("runs/create") and not Lossy.lost:
            Lossy.lost += 1
            status, content = 503, b"busy"
        self.send_response(status)
        self.send_header("Content-Type", answer.headers.get("content-type", "text/plain"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _chunked(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return b""
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on

    def log_message(self, *_: Any) -> None:
        return


def test_an_existing_server_behind_a_proxy_that_loses_answers(
    existing: str, home: Path, tmp_path: Path
) -> None:
    Lossy.target, Lossy.lost = existing, 0
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Lossy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    folder = home / "workspaces/default"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"tracking_uri: http://127.0.0.1:{proxy.server_port}\n")
    path = write_notebook(
        tmp_path / "n.ipynb", "import mlflow\nwith mlflow.start_run(): mlflow.log_metric('m', 1)"
    )
    try:
        done = perijove("job", "submit", str(path), "--wait", "--json", home=home)
        job = json.loads(done.stdout)
        assert (job["state"], job["recorded"]) == ("succeeded", True), job
        search = {"experiment_ids": [job["experiment_id"]], "max_results": 10}
        found = httpx.post(f"{existing}/api/2.0/mlflow/runs/search", json=search).json()["runs"]
        assert Lossy.lost == 1
        assert [run["info"]["run_id"] for run in found] == [job["run_id"]]
        assert found[0]["info"]["status"] == "FINISHED"
        assert found[0]["data"]["metrics"][0]["key"] == "m"
    finally:
        proxy.shutdown()
