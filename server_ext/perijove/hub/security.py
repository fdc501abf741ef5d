"""Who may talk to the hub: the Host must be this machine's loopback, the token the owner's.

Plain ASGI, before routing, so that no route, known or unknown, answers without credentials.
"""

from __future__ import annotations

import hmac
import json

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from perijove.errors import BodyTooLarge, NotAuthorized, PerijoveError
from perijove.models.files import FILE_BYTES

BODY_BYTES = 16 * 1024 * 1024
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class HostRefused(NotAuthorized):
    code = "host_refused"
    status = 403


class Guard:
    """Checks every request before the application sees it."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        room = FILE_BYTES if _is_file(scope) else BODY_BYTES
        error = self._refusal(headers, room)
        if error is not None:
            await refuse(error, send)
            return
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > room:
                raise _too_large(room)
            return message

        async def answered(message: Message) -> None:
            # what the application makes of a body that was cut off is not said
            if received <= room:
                await send(message)
            elif message["type"] == "http.response.start":
                await refuse(_too_large(room), send)

        await self._app(scope, bounded, answered)

    def _refusal(self, headers: Headers, room: int) -> PerijoveError | None:
        host = headers.get("host", "")
        name = host if host.endswith("]") else host.rsplit(":", 1)[0]
        if name not in LOOPBACK:
            return HostRefused("The Host header must name this machine's loopback address.")
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = token.strip().encode("utf-8", "surrogateescape")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given, self._token):
            return NotAuthorized(
                "The Authorization header must carry the workspace's bearer token.",
                remedy="perijove up --json prints it.",
            )
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > room:
            return _too_large(room)
        return None


def _is_file(scope: Scope) -> bool:
    """Is a file of an instance saved? It comes whole."""
    return bool(scope["method"] == "PUT" and scope["path"].endswith("/files/content"))


def _too_large(room: int) -> BodyTooLarge:
    return BodyTooLarge(f"A body must have at most {room >> 20} MiB.", field="body")


async def refuse(error: PerijoveError, send: Send) -> None:
    """Answer with the error and nothing else."""
    body = json.dumps({"error": error.to_json()}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
