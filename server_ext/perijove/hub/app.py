"""The HTTP application: routes, the one table from errors to statuses, and the guard."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from perijove import __version__
from perijove.errors import InvalidInput, NotFound, PerijoveError
from perijove.hub.context import Hub
from perijove.hub.routes import (
    compute,
    environments,
    events,
    experiments,
    files,
    jobs,
    kernels,
    models,
    notebooks,
    runs,
    workspace,
)
from perijove.hub.security import Guard
from perijove.models.instances import TAGS
from perijove.models.problems import invalid

log = logging.getLogger(__name__)


class ErrorDetail(BaseModel):
    """What went wrong: a stable code, a sentence, the field at fault, what to do."""

    code: str
    message: str
    field: str | None = None
    remedy: str | None = None


class ErrorBody(BaseModel):
    """The body of every answer that is not 2xx."""

    error: ErrorDetail


class AsciiResponse(JSONResponse):
    """JSON with escapes: a message may quote a lone surrogate that UTF-8 cannot carry."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":")).encode("ascii")


STATUSES = {
    400: "The request is no valid JSON.",
    401: "The bearer token is missing or wrong.",
    403: "The Host header is not this machine's.",
    404: "There is no such thing.",
    405: "The path has no such method.",
    409: "Its state forbids it, or its machine cannot be reached.",
    413: "The body or the snapshot is too large.",
    422: "Something asked for breaks a rule; `field` names it.",
    503: "MLflow does not answer.",
}


def create_app(hub: Hub | None, token: str = "") -> FastAPI:
    """The application around a hub; None gives the one whose OpenAPI document is printed."""
    app = FastAPI(
        title="Perijove hub",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={
            status: {"model": ErrorBody, "description": text} for status, text in STATUSES.items()
        },
    )
    app.state.hub = hub
    for module in (
        workspace,
        compute,
        environments,
        kernels,
        files,
        jobs,
        notebooks,
        experiments,
        runs,
        models,
        events,
    ):
        app.include_router(module.router, prefix="/api")
    add_error_handlers(app)
    app.add_middleware(Guard, token=token)
    return app


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error with `ErrorBody`."""
    app.add_exception_handler(PerijoveError, _perijove_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


def _answer(error: PerijoveError, status: int | None = None) -> Response:
    return AsciiResponse({"error": error.to_json()}, status or error.status)


def _perijove_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, PerijoveError)
    return _answer(error)


def _validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _answer(
            InvalidInput(f"The body is no valid JSON: {first['msg']}.", field="body"), 400
        )
    place = [str(part) for part in first["loc"]][1:]
    return _answer(invalid(place[1:] if place[:1] and place[0] in TAGS else place, first))


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        answer = _answer(NotFound(f"There is nothing at {request.url.path[:200]!r}."))
    else:
        answer = _answer(InvalidInput(str(error.detail)), error.status_code)
    answer.headers.update(error.headers or {})
    if error.status_code == 405:
        # the framework names the methods of the first route of a path only
        answer.headers["Allow"] = ", ".join(_methods(request))
    return answer


def _methods(request: Request) -> list[str]:
    paths = request.app.openapi()["paths"]
    if (own := paths.get(request.url.path)) is not None:
        return sorted(verb.upper() for verb in own)
    found: set[str] = set()
    for path, verbs in paths.items():
        pattern = re.sub(r"\\{path\\}$", ".+", re.escape(path))
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", pattern), request.url.path):
            found |= {verb.upper() for verb in verbs}
    return sorted(found)


def _unexpected(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _answer(PerijoveError("The hub failed; its log says why.", remedy="See hub.log."))
