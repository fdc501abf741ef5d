"""What the runner sends to MLflow, against a server that refuses, fails and comes back."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from conftest import until
from perijove.models.logged import LOGGED, LoggedSpool, metric_record, metric_start, record
from perijove.runner.sender import Sender, offer


class Mlflow(HTTPServer):
    """Takes what it is sent, but for the key *bad*; `broken`: fails with that status. It hangs
    unless it `answers`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.taken: list[Any] = []
        self.broken = 0
        self.asked = 0
        self.answers = threading.Event()
        self.answers.set()
        self.uri = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    server: Mlflow

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked += 1
        self.server.answers.wait()
        listed = [item for kind in ("metrics", "params", "tags") for item in body.get(kind, [])]
        status = self.server.broken or (400 if any(i["key"] == "bad" for i in listed) else 200)
        if status == 200:
            assert self.headers["Authorization"] == "Bearer t"
            self.server.taken.append((self.path.rpartition("mlflow/")[2], body))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b'{"message": "no"}')

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Mlflow]:
    made = Mlflow()
    yield made
    made.shutdown()
    made.server_close()


def sender(folder: Path, server: Mlflow, said: list[str]) -> Sender:
    environ = {"MLFLOW_TRACKING_URI": server.uri, "MLFLOW_TRACKING_TOKEN": "t"}
    offer(folder, environ)
    return Sender(folder, environ, said.append)


def test_what_is_refused_is_said_and_the_rest_is_taken(tmp_path: Path, server: Mlflow) -> None:
    start = metric_start("r", "loss")
    lines = [metric_record(start, float("nan"), 5, 1), metric_record(start, 0.5, 5, 2)]
    lines += [record("p", "r", key, "1") for key in ("good", "bad")]
    lines += [record("i", "r", {"datasets": [{"tags": []}]}), record("p", "r", "later", "1")]
    lines += [record("u", "r", {"status": "FINISHED"}), record("t", "other", "k", "v")]
    (tmp_path / LOGGED).write_text("".join(lines))
    said: list[str] = []
    assert sender(tmp_path, server, said).finish(stopped=False)
    assert [text.partition(":")[0] for text in said] == [
        "MLflow refused the parameter bad of run r"
    ]
    points = [
        {"key": "loss", "value": "NaN", "timestamp": 5, "step": 1},
        {"key": "loss", "value": 0.5, "timestamp": 5, "step": 2},
    ]
    assert server.taken == [
        ("runs/log-batch", {"run_id": "r", "params": [{"key": "good", "value": "1"}]}),
        ("runs/log-batch", {"run_id": "r", "metrics": points}),
        ("runs/log-inputs", {"run_id": "r", "datasets": [{"tags": []}]}),
        ("runs/log-batch", {"run_id": "r", "params": [{"key": "later", "value": "1"}]}),
        ("runs/update", {"run_id": "r", "status": "FINISHED"}),
        ("runs/log-batch", {"run_id": "other", "tags": [{"key": "k", "value": "v"}]}),
    ]


@pytest.mark.parametrize("status", [500, 503, 401, 429])
def test_a_server_that_fails_gets_it_later(tmp_path: Path, server: Mlflow, status: int) -> None:
    (tmp_path / LOGGED).write_text(record("t", "r", "k", "v"))
    server.broken = status
    said: list[str] = []
    assert not sender(tmp_path, server, said).finish(stopped=True)
    assert "The hub sends" in said[0]
    assert LoggedSpool(tmp_path / LOGGED).pending()
    server.broken = 0
    assert sender(tmp_path, server, said).finish(stopped=True)
    assert not LoggedSpool(tmp_path / LOGGED).pending()
    assert len(server.taken) == 1


def test_a_server_that_hangs_gets_it_later(
    tmp_path: Path, server: Mlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perijove.runner.sender.TIMEOUT", 600)
    server.answers.clear()
    (tmp_path / LOGGED).write_text(record("t", "r", "k", "v"))
    said: list[str] = []
    sending = sender(tmp_path, server, said)
    sending.start()
    until(lambda: server.asked)
    # what is under way is not waited for until its own end
    assert not sending.finish(stopped=True)
    assert "The hub sends" in said[0]
    assert server.asked == 1
    server.answers.set()
    LoggedSpool(tmp_path / LOGGED).drain(lambda path, body: None, said.append)
    assert not LoggedSpool(tmp_path / LOGGED).pending()


@pytest.mark.parametrize(
    ("environ", "offered"),
    [
        ({"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"}, True),
        ({"MLFLOW_TRACKING_URI": "https://mlflow.example"}, True),
        ({"MLFLOW_TRACKING_URI": "databricks"}, False),
        ({"MLFLOW_TRACKING_URI": "sqlite:///m.db"}, False),
        ({}, False),
        ({"MLFLOW_TRACKING_URI": "https://m", "MLFLOW_TRACKING_AWS_SIGV4": "true"}, False),
        ({"PERIJOVE_SPOOL": "/another/job's", "PERIJOVE_SPOOL_URI": "http://x"}, False),
    ],
)
def test_the_spool_is_offered_where_it_can_be_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], offered: bool
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    offer(tmp_path, environ)
    assert ("PERIJOVE_SPOOL" in environ, "PERIJOVE_SPOOL_URI" in environ) == (offered, offered)


def test_large_batches_keep_to_the_limits(tmp_path: Path, server: Mlflow) -> None:
    lines = [metric_record(metric_start("r", f"m{i}"), float(i), i, i) for i in range(2300)]
    lines += [record("p", "r", f"p{i}", "ü" * 6000) for i in range(250)]
    (tmp_path / LOGGED).write_text("".join(lines))
    assert sender(tmp_path, server, []).finish(stopped=False)
    bodies = [body for _, body in server.taken]
    assert all(len(json.dumps(body)) < 1_000_000 for body in bodies)
    assert all(len(body.get("params", [])) <= 100 for body in bodies)
    assert all(sum(len(v) for k, v in body.items() if k != "run_id") <= 1000 for body in bodies)
    assert sum(len(body.get("metrics", [])) for body in bodies) == 2300
    assert sum(len(body.get("params", [])) for body in bodies) == 250
