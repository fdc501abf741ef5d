"""A plain MLflow server, as anybody runs one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from conftest import free_port


@contextmanager
def plain_mlflow(folder: Path) -> Iterator[str]:
    """Its address while it runs."""
    port = free_port()
    environ = os.environ | {
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder}/existing.db",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "existing"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    app = "mlflow.server.fastapi_app:app"
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port)]
    server = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
    uri = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                if httpx.get(f"{uri}/health").status_code == 200:
                    break
            except httpx.HTTPError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        # the first question makes the database, and two at once break it
        url = f"{uri}/api/2.0/mlflow/experiments/search?max_results=1"
        httpx.get(url, timeout=60).raise_for_status()
        yield uri
    finally:
        server.terminate()
        server.wait(20)
