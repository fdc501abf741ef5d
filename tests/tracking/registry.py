"""The model registry's service on a server, and files of a model for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from pydantic import JsonValue

from perijove.runner import tasks
from perijove.services.registry import Registry
from perijove.services.uploads import Uploads
from perijove.tracking.api import Api
from perijove.tracking.connection import API, Connection
from perijove.tracking.registry import RestRegistry

T = TypeVar("T")

MLMODEL = """\
flavors:
  python_function: {loader_module: mlflow.sklearn, python_version: 3.11.2, model_path: model.pkl}
  sklearn: {pickled_model: model.pkl, serialization_format: cloudpickle}
mlflow_version: 3.17.2
saved_input_example_info: {artifact_path: input_example.json}
signature:
  inputs: '[{"type": "double", "name": "<b>age</b>", "required": true},
    {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}}]'
  outputs: '[{"type": "long", "required": true}]'
"""
FILES = {
    "MLmodel": MLMODEL,
    "model.pkl": "cos\nsystem\n(S'touch /tmp/perijove-was-unpickled'\ntR.",
    "input_example.json": '{"columns": ["age"], "data": [[33.0]]}',
    "requirements.txt": "scikit-learn==1.7\n# a comment\n",
}


class Here:
    """Runs tasks in this process."""

    async def run(self, task: str, args: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        values: dict[str, Any] = dict(args)
        return dict(getattr(tasks, task)(**values))


@dataclass
class Bench:
    """A server, and the service under test on it."""

    uri: str
    token: str | None
    folder: Path | None
    staging: Path

    def __post_init__(self) -> None:
        self.jobs: list[Any] = []

    def run(self, work: Callable[[Registry], Awaitable[T]]) -> T:
        """Do something with a service of its own."""

        async def inside() -> T:
            embedded = self.folder is not None
            connection = Connection(self.uri, token=self.token, embedded=embedded)
            models = RestRegistry(Api(connection, embedded), self.folder)
            store: Any = SimpleNamespace(active=lambda: self.jobs)
            try:
                staged = Uploads(self.staging)
                return await work(Registry(models, store, staged, Here(), "ann"))
            finally:
                await connection.close()

        return asyncio.run(inside())

    def call(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        """MLflow's own API."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        url = path if path.startswith("/") else f"{API}/{path}"
        answer = httpx.request(
            method, f"{self.uri}{url}", headers=headers, timeout=60, trust_env=False, **content
        )
        answer.raise_for_status()
        return dict(json.loads(answer.content or b"{}"))

    def make_run(self) -> tuple[str, str]:
        """A run with a metric; its id and where its artifacts are, for the proxy."""
        body = {"experiment_id": "0", "run_name": "trained"}
        info = self.call("POST", "runs/create", json=body)["run"]["info"]
        metric = {"run_id": info["run_id"], "key": "auc", "value": 0.9, "timestamp": 1, "step": 0}
        self.call("POST", "runs/log-metric", json=metric)
        return info["run_id"], info["artifact_uri"].partition(":/")[2].strip("/")

    def put(self, root: str, files: Mapping[str, str | bytes]) -> None:
        for path, content in files.items():
            url = f"/api/2.0/mlflow-artifacts/artifacts/{root}/{path}"
            self.call("PUT", url, content=content)

    def logged_run(self) -> str:
        """A run with a model's files below ``model``."""
        run_id, root = self.make_run()
        self.put(f"{root}/model", FILES)
        return run_id


def fresh() -> str:
    return f"churn {uuid4().hex[:8]}"


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data
