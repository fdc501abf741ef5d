"""Who may do what on the embedded MLflow server: plain ASGI, in front of every route.

Two roles: the *owner* of the workspace may do everything; an *attempt* may track and use models
while it runs, and may not delete what others made or reach the server's administration.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
import socket
import time
from collections.abc import Callable, Iterable
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from perijove.models.attempts import STATUS
from perijove.models.tokens import AttemptToken, verify

COOKIE = "perijove-mlflow"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
GRACE = 60.0
"""Seconds an attempt's token outlives its verdict: late flushes still arrive."""
RUN_PATIENCE = 30.0
"""Seconds a job's request waits for the job's run."""
BODY_BYTES = 8 * 1024 * 1024
DATAGRAM = 50_000
FORBIDDEN = re.compile(
    r"/(gateway|secrets?|jobs?|webhooks?|users|permissions|assistant|workspaces)(/|$)"
    r"|/experiments/(delete|restore)$|/registered-models/delete$|/mlflow/demo(/|$)"
)
"""What an attempt may not call."""
INSPECTED = re.compile(
    r"/(experiments/create|runs/create|runs/set-tag|runs/log-metric|runs/log-batch)$"
)


class Guard:
    """Checks every request; tells the hub of the metrics that attempts log."""

    def __init__(
        self,
        app: ASGIApp,
        secrets: Path,
        jobs: Path,
        poke: str | None,
        run_exists: Callable[[str], bool],
    ) -> None:
        keys = json.loads(secrets.read_text())
        self._app = app
        self._token: str = keys["token"]
        self._key: str = keys["signing_key"]
        self._jobs = jobs
        self._run_exists = run_exists
        self._runs: set[str] = set()
        self._poke = poke
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if _host(headers) not in LOOPBACK:
            await _refuse(send, scope, 403, "The Host header must name a loopback address.")
            return
        if (signed_in := self._sign_in(scope)) is not None:
            await _redirect(send, signed_in, self._token)
            return
        who = self._who(headers)
        if who is None:
            await _refuse(send, scope, 401, "A bearer token of this workspace is needed.")
            return
        attempt = who if isinstance(who, AttemptToken) else None
        if attempt is not None and (
            FORBIDDEN.search(scope["path"]) or scope["type"] == "websocket"
        ):
            await _refuse(send, scope, 403, "A job's token is not good for this.")
            return
        if attempt is not None and attempt.run_id not in self._runs:
            await self._await_run(attempt.run_id)
        if (
            scope["type"] == "http"
            and scope["method"] == "POST"
            and INSPECTED.search(scope["path"])
        ):
            await self._inspected(scope, receive, send, attempt)
        else:
            await self._app(scope, receive, send)

    def _who(self, headers: Headers) -> str | AttemptToken | None:
        """The owner's token, the attempt, or None."""
        token = _credential(headers)
        if hmac.compare_digest(token.encode(), self._token.encode()):
            return token
        attempt = verify(token, self._key)
        if attempt is None:
            return None
        status = self._jobs / attempt.job_id / "attempts" / str(attempt.attempt) / STATUS
        try:
            over = time.time() - status.stat().st_mtime > GRACE
        except OSError:
            over = False
        return None if over else attempt

    async def _await_run(self, run_id: str) -> None:
        """Hold a job's first request until its run is there.

        The hub makes the run from its outbox; right after MLflow's start, or its return, the
        job's own code may be quicker.
        """
        deadline = time.monotonic() + RUN_PATIENCE
        while not await anyio.to_thread.run_sync(self._run_exists, run_id):
            if time.monotonic() > deadline:
                return
            await anyio.sleep(0.05)
        self._runs.add(run_id)

    def _sign_in(self, scope: Scope) -> str | None:
        """Where a browser that came with ``/?token=`` goes on to, without the token."""
        if scope["type"] != "http" or scope["path"] != "/" or not scope["query_string"]:
            return None
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        token = query.pop("token", "")
        if not token or not hmac.compare_digest(token.encode(), self._token.encode()):
            return None
        return "/" + (f"?{urlencode(query)}" if query else "")

    async def _inspected(
        self, scope: Scope, receive: Receive, send: Send, attempt: AttemptToken | None
    ) -> None:
        body = await _body(receive)
        if body is None:
            await _refuse(send, scope, 413, f"A body must have at most {BODY_BYTES >> 20} MiB.")
            return
        try:
            data = json.loads(body)
        except ValueError:
            data = {}
        refusal = _refusal(scope["path"], data, attempt) if isinstance(data, dict) else None
        if refusal is not None:
            await _refuse(send, scope, 403, refusal)
            return
        status = 0

        async def replay() -> Message:
            nonlocal body
            sent, body = body, None
            if sent is None:
                return await receive()
            return {"type": "http.request", "body": sent, "more_body": False}

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self._app(scope, replay, watched)
        if attempt is not None and status == 200 and isinstance(data, dict):
            self._tell(attempt, data)

    def _tell(self, attempt: AttemptToken, data: dict[str, Any]) -> None:
        """Hand the metrics of a job's own run to the hub; losing them loses only liveness."""
        if self._poke is None or data.get("run_id", data.get("run_uuid")) != attempt.run_id:
            return
        points = data.get("metrics") or ([data] if "key" in data and "value" in data else [])
        for piece in _pieces(_point(point) for point in points if isinstance(point, dict)):
            message = {"job_id": attempt.job_id, "attempt": attempt.attempt, "metrics": piece}
            try:
                self._socket.sendto(json.dumps(message).encode(), self._poke)
            except OSError:
                return


def _point(point: dict[str, Any]) -> dict[str, Any]:
    return {
        "key": str(point.get("key")),
        "value": point.get("value"),
        "step": int(point.get("step") or 0),
        "timestamp": int(point.get("timestamp") or 0),
    }


def _pieces(points: Iterable[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    piece: list[dict[str, Any]] = []
    size = 0
    for point in points:
        size += len(point["key"]) + 100
        if size > DATAGRAM:
            yield piece
            piece, size = [], 0
        piece.append(point)
    if piece:
        yield piece


def _refusal(path: str, data: dict[str, Any], attempt: AttemptToken | None) -> str | None:
    if path.endswith("experiments/create"):
        location = str(data.get("artifact_location") or "")
        if location and not location.startswith("mlflow-artifacts:"):
            return (
                "artifact_location must be left out or start with mlflow-artifacts: "
                "this server keeps artifacts in its own folder only."
            )
    if attempt is not None:
        tags = data.get("tags") if isinstance(data.get("tags"), list) else []
        keys = {tag.get("key") for tag in tags or [] if isinstance(tag, dict)} | {data.get("key")}
        if keys & {"perijove.run_id", "perijove.experiment_id"}:
            return "The tags perijove.run_id and perijove.experiment_id are the hub's."
    return None


def _credential(headers: Headers) -> str:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if cookie is None else cookie.value


def _host(headers: Headers) -> str:
    host = headers.get("host", "")
    return host if host.endswith("]") else host.rsplit(":", 1)[0]


async def _body(receive: Receive) -> bytes | None:
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > BODY_BYTES:
            return None
        parts.append(part)
        if message["type"] != "http.request" or not message.get("more_body"):
            return b"".join(parts)


async def _refuse(send: Send, scope: Scope, status: int, message: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    code = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED"}.get(status, "BAD_REQUEST")
    body = json.dumps({"error_code": code, "message": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="Perijove", Bearer'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _redirect(send: Send, location: str, token: str) -> None:
    cookie = f"{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/"
    headers = [
        (b"location", location.encode()),
        (b"set-cookie", cookie.encode()),
        (b"referrer-policy", b"no-referrer"),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
