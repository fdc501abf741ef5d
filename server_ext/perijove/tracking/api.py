"""MLflow's REST API for what a user waits for: nothing is tried again, errors say what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from perijove.errors import Conflict, InvalidInput, NotFound, PerijoveError, TrackingUnreachable
from perijove.tracking.rest import API, _auth, _json, _verify

TIMEOUT = httpx.Timeout(60, connect=5)
REMEDY = "This goes on by itself as soon as MLflow answers; perijove status says how it is."
CODES: dict[str, type[PerijoveError]] = {
    "RESOURCE_DOES_NOT_EXIST": NotFound,
    "NOT_FOUND": NotFound,
    "RESOURCE_ALREADY_EXISTS": Conflict,
}


class Api:
    """A connection pool to an MLflow server.

    All methods raise `NotFound` and `Conflict` where MLflow says so, `InvalidInput` for other
    refusals, and `TrackingUnreachable` when it cannot be reached or fails.
    """

    def __init__(self, uri: str, token: str | None = None, embedded: bool = False) -> None:
        self.uri = uri
        self.embedded = embedded
        self._client = httpx.AsyncClient(
            base_url=uri,
            timeout=TIMEOUT,
            # proxies and .netrc are for servers elsewhere
            trust_env=not embedded,
            verify=_verify(uri),
            auth=_auth(token),
            follow_redirects=False,
        )

    async def get(self, route: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer of a route below MLflow's API, or with a leading slash of any route."""
        return await self.send("GET", route, params=dict(query or {}))

    async def post(self, route: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What came of it."""
        return await self.send("POST", route, json=dict(body))

    async def send(self, method: str, route: str, **content: Any) -> dict[str, Any]:
        """Any method."""
        try:
            answer = await self._client.request(method, _url(route), **content)
        except httpx.HTTPError as error:
            raise self._away(error) from None
        return self._checked(answer)

    @asynccontextmanager
    async def stream(
        self, route: str, query: Mapping[str, Any] | None = None
    ) -> AsyncIterator[httpx.Response]:
        """An answer that is read as it comes."""
        try:
            async with self._client.stream("GET", _url(route), params=dict(query or {})) as answer:
                if answer.status_code >= 300:
                    await answer.aread()
                    self._checked(answer)
                yield answer
        except httpx.HTTPError as error:
            raise self._away(error) from None

    async def close(self) -> None:
        """Release connections."""
        await self._client.aclose()

    def _checked(self, answer: httpx.Response) -> dict[str, Any]:
        said = _json(answer)
        if answer.status_code < 300 and said is not None:
            return said
        message = (said or {}).get("message") or (said or {}).get("detail")
        if answer.status_code in range(400, 500) and said is not None:
            kind = CODES.get(str(said.get("error_code")), InvalidInput)
            if answer.status_code not in (401, 403, 408, 429):
                raise kind(str(message or f"MLflow answered {answer.status_code}."))
        raise TrackingUnreachable(
            f"MLflow at {self.uri} answered {answer.status_code}: {message or 'no reason'}.",
            remedy=REMEDY,
        )

    def _away(self, error: Exception) -> TrackingUnreachable:
        return TrackingUnreachable(
            f"MLflow at {self.uri} does not answer ({type(error).__name__}).", remedy=REMEDY
        )


def _url(route: str) -> str:
    return route if route.startswith("/") else f"{API}/{route}"
