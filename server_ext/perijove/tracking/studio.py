"""The studio's routes inside MLflow's process, beside MLflow's own.

``POST /perijove/…``, JSON in and out; for the hub alone (the guard lets attempts reach MLflow's
own routes only). Writes go through MLflow's API, but for those of many runs at once.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from anyio import to_thread
from fastapi import FastAPI
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from perijove.errors import InvalidInput, PerijoveError, TrackingUnreachable
from perijove.models.events import TrackingChange
from perijove.models.experiments import Lifecycle, View
from perijove.models.runs import HistoryWish, RunSearch
from perijove.tracking import overview
from perijove.tracking.histories import Histories
from perijove.tracking.search import search

log = logging.getLogger(__name__)
PREFIX = "/perijove"
Answer = Callable[[bytes], bytes]


class ExperimentsWish(BaseModel):
    """Which experiments."""

    view: View = View.ALL
    only: str | None = None


class ColumnsWish(BaseModel):
    """Of which experiments."""

    experiment_ids: list[str]


class PointsWish(BaseModel):
    """Of which run."""

    run_id: str


class Move(BaseModel):
    """Runs, and what becomes of them."""

    run_ids: list[str]
    stage: Lifecycle


def add_routes(
    app: FastAPI, store: SqlAlchemyStore, changed: Callable[[TrackingChange], None]
) -> None:
    """Put them in front of MLflow's last route, which takes everything."""
    engine, histories = store.engine, Histories(store.engine)

    def experiments(body: bytes) -> bytes:
        wish = ExperimentsWish.model_validate_json(body)
        return overview.as_json(overview.experiments(engine, wish.view, wish.only))

    def columns(body: bytes) -> bytes:
        wish = ColumnsWish.model_validate_json(body)
        return overview.as_json(overview.columns(engine, wish.experiment_ids))

    def points(body: bytes) -> bytes:
        wish = PointsWish.model_validate_json(body)
        return json.dumps(histories.counts(wish.run_id)).encode()

    def move(body: bytes) -> bytes:
        wish = Move.model_validate_json(body)
        touched = overview.move_runs(store, wish.run_ids, wish.stage)
        changed(TrackingChange(runs=wish.run_ids, experiments=touched))
        return b"{}"

    answers: dict[str, Answer] = {
        "experiments": experiments,
        "columns": columns,
        "search": lambda body: search(engine, RunSearch.model_validate_json(body)),
        "history": lambda body: histories.answer(HistoryWish.model_validate_json(body)),
        "points": points,
        "move": move,
    }
    for name, answer in answers.items():
        app.router.routes.insert(0, Route(f"{PREFIX}/{name}", _endpoint(answer), methods=["POST"]))


def _endpoint(answer: Answer) -> Any:
    async def endpoint(request: Request) -> Response:
        body = await request.body()
        status, content = await to_thread.run_sync(_answered, answer, body)
        return Response(content, status, media_type="application/json")

    return endpoint


def _answered(answer: Answer, body: bytes) -> tuple[int, bytes]:
    try:
        return 200, answer(body)
    except PerijoveError as error:
        failure = error
    except ValidationError as error:
        failure = InvalidInput(str(error.errors()[0]["msg"]))
    except SQLAlchemyError as error:
        log.exception("The database refused a question of the studio's")
        failure = TrackingUnreachable(
            f"MLflow's database did not answer ({type(error).__name__}).",
            remedy="Try again; mlflow.log says why.",
        )
    return failure.status, json.dumps({"error": failure.to_json()}).encode()
