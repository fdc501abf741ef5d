"""MLflow's REST API for what a user waits for: what is missing or taken is said as that."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from perijove.errors import Conflict, InvalidInput, NotFound, PerijoveError, TrackingUnreachable
from perijove.tracking.connection import API, BACK, Connection

CODES: dict[str | None, type[PerijoveError]] = {
    "RESOURCE_DOES_NOT_EXIST": NotFound,
    "NOT_FOUND": NotFound,
    "RESOURCE_ALREADY_EXISTS": Conflict,
}
FIELDS = {
    "experiments": "experiment",
    "logged-models": "model_id",
    "model-versions": "version",
    "registered-models": "name",
    "runs": "run_id",
}
"""What is at fault where a thing is missing or taken, by the first word of its route."""
TIMEOUT = httpx.Timeout(300, connect=5)
"""Of files on their way."""


class Api:
    """A server behind a connection, which stays its owner's to close.

    All methods raise `NotFound` and `Conflict` where MLflow says so, `InvalidInput` for other
    refusals, and `TrackingUnreachable` when it cannot be reached or fails.
    """

    def __init__(self, connection: Connection, embedded: bool = False) -> None:
        """`embedded`: the server is the hub's own, with routes of ours."""
        self.embedded = embedded
        self._connection = connection

    async def get(self, route: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer of a route below MLflow's API, or with a leading slash of any route."""
        return await self.send("GET", route, params=dict(query or {}))

    async def post(self, route: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What came of it."""
        return await self.send("POST", route, json=dict(body))

    async def send(self, method: str, route: str, **content: Any) -> dict[str, Any]:
        """Any method."""
        url = route if route.startswith("/") else f"{API}/{route}"
        try:
            return await self._connection.send(method, url, **content)
        except (InvalidInput, TrackingUnreachable) as error:
            raise _understood(error, route) from None

    @asynccontextmanager
    async def stream(self, url: str) -> AsyncIterator[httpx.Response]:
        """An answer that is read as it comes."""
        try:
            async with self._connection.http.stream("GET", url, timeout=TIMEOUT) as answer:
                if answer.status_code >= 300:
                    await answer.aread()
                    raise _understood(self._connection.refusal(answer, url))
                yield answer
        except httpx.HTTPError as error:
            raise _understood(self._connection.unreachable(error)) from None


def _understood(error: PerijoveError, route: str = "") -> PerijoveError:
    """As somebody who waits for it is told."""
    if isinstance(error, TrackingUnreachable):
        return TrackingUnreachable(error.message, remedy=BACK)
    said = error.message.partition(": ")[2] or error.message
    if (missing := CODES.get(error.field)) is not None:
        return missing(said, field=FIELDS.get(route.partition("/")[0]))
    return InvalidInput(said)
