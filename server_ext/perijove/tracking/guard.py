"""Who may do what on the embedded MLflow server: plain ASGI, in front of every route.

Two roles: the *owner* of the workspace may do everything; an *attempt* may track and use models
while it runs, and may not delete what others made or reach the server's administration. What an
attempt may reach is a list of what is allowed, so a route that a later MLflow adds is closed to
it. Rules about what a request says, rather than where it goes, are in the store: there each has
one meaning, however a body spells it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable
from contextvars import ContextVar
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from perijove.models.attempts import STATUS
from perijove.models.logged import REQUEST_HEADER
from perijove.models.tokens import KERNELS, AttemptToken, verify

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
GRACE = 60.0
"""Seconds an attempt's token outlives its verdict: late flushes still arrive."""
RUN_PATIENCE = 30.0
"""Seconds a job's request waits for the job's run."""
ALLOWED = re.compile(
    r"/(ajax-)?api/[23]\.0/mlflow/(artifacts|datasets|experiments|get-trace-artifact|issues"
    r"|label-schemas|logged-models|metrics|model-versions|registered-models|runs|scorers"
    r"|server-info|traces|unified-traces|upload-artifact)(/.*)?"
    r"|/(ajax-)?api/2\.0/mlflow-artifacts/.+"
    r"|/(health|version|get-artifact|model-versions/get-artifact|v1/traces)/?"
)
"""What an attempt may call: tracking, artifacts, models, traces and their evaluation."""
FORBIDDEN = re.compile(
    r".*/(experiments/+(delete|restore)|registered-models/+delete|scorers/+online-configs?"
    r"|runs/+create-promptlab-run|issues/+invoke)/*"
)
"""… except these."""
CLOSED = re.compile(r"/(ajax-)?api/3\.0/(mlflow/assistant|mlflow/jobs|jobs)(/.*)?")
"""For nobody: they would execute on this machine what a web page asks for."""

caller: ContextVar[AttemptToken | None] = ContextVar("caller", default=None)
"""The attempt whose request is served; None: the owner's."""
request_key: ContextVar[str | None] = ContextVar("request key", default=None)
"""What the request that is served has in common with its repetitions; None: nobody said."""


class Guard:
    """Checks every request."""

    def __init__(
        self, app: ASGIApp, secrets: Path, jobs: Path, run_exists: Callable[[str], bool]
    ) -> None:
        keys = json.loads(secrets.read_text())
        self._app = app
        self._token: str = keys["token"]
        self._key: str = keys["signing_key"]
        # a browser sends its cookie to every port of this host: the token itself stays out of it
        self._session = hmac.digest(
            self._key.encode(), b"mlflow session " + self._token.encode(), "sha256"
        ).hex()
        self._jobs = jobs
        self._run_exists = run_exists
        self._runs: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        name, port = _split(host)
        if name not in LOOPBACK:
            await _refuse(send, scope, 403, "The Host header must name a loopback address.")
            return
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host:
            await _refuse(send, scope, 403, "Requests from other sites' pages are refused.")
            return
        if (onward := self._sign_in(scope)) is not None:
            await _welcome(send, onward, f"{cookie_name(port)}={self._session}")
            return
        allowed, attempt = self._who(headers, port)
        if not allowed:
            await _refuse(
                send, scope, 401, "A token of this workspace is needed (perijove up --json)."
            )
            return
        if CLOSED.fullmatch(scope["path"]):
            await _refuse(send, scope, 403, "Perijove keeps this part of MLflow switched off.")
            return
        if attempt is not None:
            if not _may(scope):
                await _refuse(send, scope, 403, "A job's token is not good for this.")
                return
            if attempt.run_id and attempt.run_id not in self._runs:
                await self._await_run(attempt.run_id)
        marks = caller.set(attempt), request_key.set(_key(headers, attempt))
        try:
            await self._app(scope, receive, send)
        finally:
            caller.reset(marks[0])
            request_key.reset(marks[1])

    def _who(self, headers: Headers, port: str) -> tuple[bool, AttemptToken | None]:
        """Is it somebody, and which attempt; None: the owner."""
        token = _credential(headers)
        if not token:
            return _same(_cookie(headers, cookie_name(port)), self._session), None
        if _same(token, self._token):
            return True, None
        attempt = verify(token, self._key)
        return attempt is not None and self._is_open(attempt), attempt

    def _is_open(self, attempt: AttemptToken) -> bool:
        """Has the attempt no verdict yet, or only just? Kernels: is their machine still ours?"""
        if attempt.job_id.startswith(KERNELS):
            target = attempt.job_id.removeprefix(KERNELS)
            return (self._jobs.parent / "compute" / target).is_dir()
        folder = self._jobs / attempt.job_id / "attempts" / str(attempt.attempt)
        try:
            return time.time() - (folder / STATUS).stat().st_mtime <= GRACE
        except OSError:
            return folder.is_dir()  # a deleted job's token is good for nothing

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
        if scope["method"] != "GET" or not _same(query.pop("token", ""), self._token):
            return None
        return "/" + (f"?{urlencode(query)}" if query else "")


def _key(headers: Headers, attempt: AttemptToken | None) -> str | None:
    """Nobody meets another's requests."""
    key = headers.get(REQUEST_HEADER, "")
    if not re.fullmatch("[0-9A-Za-z-]{16,64}", key):
        return None
    return f"{'owner' if attempt is None else attempt.job_id}/{key}"


def cookie_name(port: str) -> str:
    """Cookies do not know ports, so the name does: two workspaces do not overwrite each other."""
    return f"perijove-mlflow-{port}"


def _may(scope: Scope) -> bool:
    path = scope["path"]
    return (
        scope["type"] == "http"
        and ALLOWED.fullmatch(path) is not None
        and FORBIDDEN.fullmatch(path) is None
    )


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), known.encode())


def _credential(headers: Headers) -> str:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return ""
    return ""


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _split(host: str) -> tuple[str, str]:
    """Name and port of a Host header."""
    if host.endswith("]") or ":" not in host:
        return host, ""
    name, _, port = host.rpartition(":")
    return name, port if port.isascii() and port.isdigit() else ""


async def _refuse(send: Send, scope: Scope, status: int, message: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    code = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED"}[status]
    headers = [(b"content-type", b"application/json")]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="Perijove", Bearer'))
    await _answer(
        send, status, headers, json.dumps({"error_code": code, "message": message}).encode()
    )


async def _welcome(send: Send, location: str, cookie: str) -> None:
    """Set the cookie and go on from a page of our own.

    A redirect would still count as the page's that had the link, and to a page of another site
    (JupyterLab at localhost, this at 127.0.0.1) browsers do not send SameSite=Strict cookies.
    The script keeps what follows the #, and leaves no entry with the token in the history.
    """
    script = f"location.replace({json.dumps(location)} + location.hash)"
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = f"<!doctype html><title>MLflow</title><script>{script}</script>"
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", f"default-src 'none'; script-src 'sha256-{allowed}'".encode()),
        (b"set-cookie", f"{cookie}; HttpOnly; SameSite=Strict; Path=/".encode()),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"no-store"),
    ]
    await _answer(send, 200, headers, page.encode())


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
