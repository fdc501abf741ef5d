"""The hub's gate: what agents and attempts on other machines may call, and nothing else.

An application of its own, on a Unix socket that machines reach through tunnels, and on a TLS
listener where the owner has turned one on. Every route wants a token that is good for one target
or one attempt; what is not one of the gate's own routes goes on to MLflow, which checks the token
once more.
"""

from __future__ import annotations

import hmac
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import httpx
import uvicorn
from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask
from starlette.responses import Response

from perijove.errors import NotAuthorized, TrackingUnreachable
from perijove.hub.app import add_error_handlers
from perijove.models.agents import AgentHello, AgentReport, Ending, SpoolReceipt
from perijove.models.tokens import AttemptToken, agent_token, verify
from perijove.services.delivery import Delivery

HOP_BY_HOP = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
        "host",
    ]
)
TRACKING = httpx.Timeout(120, connect=10)


class Gatekeeper:
    """Who calls."""

    def __init__(self, signing_key: str) -> None:
        self._key = signing_key

    def agent(self, request: Request, target: str) -> None:
        """Raises NotAuthorized, if the caller is not the agent of `target`."""
        if not hmac.compare_digest(_token(request), agent_token(target, self._key)):
            raise NotAuthorized("This is not the token of that instance's agent.")

    def attempt(self, request: Request, job_id: str, attempt: int) -> None:
        """Raises NotAuthorized, if the caller is not that attempt."""
        found = self.anyone(request)
        if (found.job_id, found.attempt) != (job_id, attempt):
            raise NotAuthorized("The token is another attempt's.")

    def anyone(self, request: Request) -> AttemptToken:
        """Raises NotAuthorized, if the caller is no attempt at all."""
        found = verify(_token(request), self._key)
        if found is None:
            raise NotAuthorized("An attempt's token is needed.")
        return found


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.isascii() else ""


def create_gate(delivery: Delivery, signing_key: str, tracking_uri: str) -> FastAPI:
    """The application."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    keeper = Gatekeeper(signing_key)
    tracking = httpx.AsyncClient(base_url=tracking_uri, timeout=TRACKING, trust_env=False)
    add_error_handlers(app)
    agent = Depends(keeper.agent)
    attempt_only = Depends(keeper.attempt)

    @app.post("/perijove/agents/{target}/link", dependencies=[agent])
    async def link(target: str, hello: AgentHello) -> StreamingResponse:
        """The agent's commands, until it hangs up."""
        commands = delivery.agent(target).link(hello)
        return StreamingResponse(commands, media_type="application/x-ndjson")

    @app.post("/perijove/agents/{target}/report", dependencies=[agent], status_code=204)
    async def report(target: str, found: AgentReport) -> None:
        """What has happened on the machine."""
        await delivery.agent(target).report(found)

    @app.get("/perijove/agents/{target}/environments/{digest}", dependencies=[agent])
    def environment(digest: str) -> StreamingResponse:
        """What is in an environment, for machines without a package index."""
        return StreamingResponse(delivery.environment(digest), media_type="application/x-tar")

    @app.get("/perijove/attempts/{job_id}/{attempt}/environment", dependencies=[attempt_only])
    def its_environment(job_id: str, attempt: int) -> StreamingResponse:
        """What is in the attempt's environment."""
        pieces = delivery.environment(delivery.environment_of(job_id, attempt))
        return StreamingResponse(pieces, media_type="application/x-tar")

    @app.get("/perijove/attempts/{job_id}/{attempt}/package", dependencies=[attempt_only])
    def package(job_id: str, attempt: int) -> StreamingResponse:
        """What the attempt needs."""
        file = delivery.package(job_id, attempt)
        pieces = iter(lambda: file.read(1 << 18), b"")
        return StreamingResponse(
            pieces, media_type="application/x-tar", background=BackgroundTask(file.close)
        )

    @app.post("/perijove/attempts/{job_id}/{attempt}/spool", dependencies=[attempt_only])
    async def spool(
        job_id: str,
        attempt: int,
        request: Request,
        offset: Annotated[int, Query(ge=0)],
        beat: Annotated[float, Query(ge=0)],
    ) -> SpoolReceipt:
        """More of the attempt's spool."""
        return await delivery.spool(job_id, attempt, offset, await request.body(), beat)

    @app.put("/perijove/attempts/{job_id}/{attempt}/files", dependencies=[attempt_only])
    async def put(
        job_id: str, attempt: int, request: Request, path: Annotated[str, Query(max_length=2000)]
    ) -> None:
        """A file of the attempt, whole."""
        await delivery.put(job_id, attempt, path, request.stream())

    @app.post(
        "/perijove/attempts/{job_id}/{attempt}/ended", dependencies=[attempt_only], status_code=204
    )
    async def ended(job_id: str, attempt: int, ending: Ending) -> None:
        """Nothing of the attempt is left there."""
        delivery.ended(job_id, attempt, ending)

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
    async def mlflow(request: Request) -> Response:
        """Everything else is MLflow's."""
        keeper.anyone(request)
        onward = tracking.build_request(
            request.method,
            httpx.URL(path=request.url.path, query=request.url.query.encode()),
            headers=[(k, v) for k, v in request.headers.items() if k not in HOP_BY_HOP],
            content=request.stream() if request.method not in ("GET", "HEAD") else None,
        )
        try:
            answer = await tracking.send(onward, stream=True)
        except httpx.HTTPError as error:
            raise TrackingUnreachable(f"MLflow does not answer: {error}.") from None
        return StreamingResponse(
            _raw(answer),
            answer.status_code,
            {k: v for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP},
            background=BackgroundTask(answer.aclose),
        )

    return app


async def _raw(answer: httpx.Response) -> AsyncIterator[bytes]:
    async for piece in answer.aiter_raw():
        yield piece


def gate_config(app: FastAPI) -> uvicorn.Config:
    """How the gate is served."""
    return uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )


def bind_gate(path: Path) -> socket.socket:
    """The gate's Unix socket, for its owner only."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(128)
    return listener
