"""A job recorded on an existing MLflow server, behind a proxy that loses an answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from conftest import configure, perijove, write_notebook
from tracking.plain import plain_mlflow

pytestmark = pytest.mark.integration


@pytest.fixture
def existing(tmp_path: Path) -> Iterator[str]:
    with plain_mlflow(tmp_path) as uri:
        yield uri


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
    configure(home, tracking_uri=f"http://127.0.0.1:{proxy.server_port}")
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
