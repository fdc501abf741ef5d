"""Every route of MLflow's application is refused without credentials."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from perijove.tracking.guard import ALLOWED, CLOSED, FORBIDDEN
from tracking.conftest import Served, attempt_token

pytestmark = pytest.mark.integration

ADMINISTRATION = re.compile(
    r"gateway|secret|webhook|/jobs|assistant|workspaces|users|permissions|mcp|graphql|demo|invoke"
    r"|telemetry|static-files|review-queues|online-config|promptlab"
)
"""What no job needs, by name."""


def routes() -> list[tuple[str, str]]:
    """(method, path) of every route, FastAPI's and Flask's; parameters filled with ``1``."""
    from mlflow.server import app as flask
    from mlflow.server.fastapi_app import create_fastapi_app

    found = set(_walk(create_fastapi_app().routes, ""))
    for rule in flask.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            found.add((method, re.sub(r"<[^>]+>", "1", rule.rule)))
    return sorted(found)


def _walk(these: list[Any], prefix: str) -> Iterator[tuple[str, str]]:
    for route in these:
        if hasattr(route, "original_router"):  # how newer FastAPIs keep included routers
            inner = prefix + str(getattr(route.include_context, "prefix", ""))
            yield from _walk(route.original_router.routes, inner)
        elif hasattr(route, "methods"):
            for method in route.methods:
                yield method, re.sub(r"{[^}]+}", "1", prefix + route.path)


def test_no_route_answers_without_credentials(mlflow: Served) -> None:
    found = routes()
    assert len(found) > 400
    assert ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1") in found
    assert ("POST", "/gateway/1/mlflow/invocations") in found
    with mlflow.client(token=None) as client:
        answers = {(m, path): client.request(m, path).status_code for m, path in found}
    assert {place: status for place, status in answers.items() if status != 401} == {}


def test_what_is_new_is_closed_to_attempts() -> None:
    """Administration is refused, by whatever route."""
    for method, path in routes():
        allowed = ALLOWED.fullmatch(path) is not None and FORBIDDEN.fullmatch(path) is None
        if ADMINISTRATION.search(path):
            assert not allowed or CLOSED.fullmatch(path), (method, path)
        if path.endswith(("experiments/delete", "experiments/restore", "registered-models/delete")):
            assert not allowed, (method, path)


def test_refusals_are_what_mlflow_prints(mlflow: Served) -> None:
    code = """
import mlflow
try:
    mlflow.MlflowClient().delete_experiment("0")
except mlflow.MlflowException as error:
    print(error)
"""
    done = mlflow.python(code, MLFLOW_TRACKING_TOKEN=attempt_token(mlflow.folder))
    assert done.stdout == "PERMISSION_DENIED: A job's token is not good for this.\n", done.stderr
    done = mlflow.python(code, MLFLOW_TRACKING_TOKEN="wrong")
    assert done.stdout.startswith("UNAUTHENTICATED: A token of this workspace is needed")
