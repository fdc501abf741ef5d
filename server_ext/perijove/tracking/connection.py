"""One connection to an MLflow server's REST API, and what its refusals mean.

MLflow's own client would import mlflow into the hub (seconds, 200 MB), is synchronous and tries
again for minutes by itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from perijove.errors import InvalidInput, TrackingUnreachable

API = "/api/2.0/mlflow"
TIMEOUT = httpx.Timeout(60, connect=5)
LATE = 2.0
"""Seconds after which a server that has not answered is asked whether it is there at all: an
answer may take long, but what hangs does not say that it is well."""
HUNG = 5.0
"""Seconds in which it says so."""
BACK = (
    "It comes back by itself, and pages with it; a command is given again then. "
    "See: perijove status."
)


class Connection:
    """Requests and their answers as JSON objects.

    All raise `TrackingUnreachable` when the server cannot be reached or answers 5xx, and
    `InvalidInput`, with MLflow's error code as `field`, when it refuses for good.
    """

    def __init__(
        self,
        uri: str,
        *,
        token: str | None = None,
        embedded: bool = False,
        starting: Callable[[], bool] = lambda: False,
    ) -> None:
        """`embedded`: the server is the hub's own, on this machine. `starting`: it is not up yet,
        and what it is asked waits."""
        self.uri = uri
        self._starting = starting
        self.http = httpx.AsyncClient(
            base_url=uri,
            timeout=TIMEOUT,
            # who waits for a free one would take the server to hang
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            # proxies and .netrc are for servers elsewhere
            trust_env=not embedded,
            verify=_verify(uri),
            auth=_auth(token),
            follow_redirects=False,
        )

    async def ready(self, seconds: float = 2) -> bool:
        """Does the server answer now?"""
        try:
            answer = await self.http.get("/health", timeout=seconds)
        except httpx.HTTPError:
            return False
        return answer.status_code < 500

    async def close(self) -> None:
        """Release connections."""
        await self.http.aclose()

    async def get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        """GET a route of MLflow's API."""
        return await self.send("GET", f"{API}/{path}", params=dict(query))

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST to a route of MLflow's API."""
        return await self.send("POST", f"{API}/{path}", json=dict(body))

    async def send(self, method: str, url: str, **content: Any) -> dict[str, Any]:
        """Any request that is answered with a JSON object."""
        answer = await self.request(method, url, **content)
        if answer.status_code == 400 and b"IntegrityError" in answer.content:
            # two wrote a new tag at once: what the second one wants can be done by now
            answer = await self.request(method, url, **content)
        said = _json(answer)
        if answer.status_code < 300 and said is not None:
            return said
        raise self.refusal(answer, url)

    async def request(self, method: str, url: str, **content: Any) -> httpx.Response:
        """The plain answer, whatever it is."""
        asked = asyncio.ensure_future(self.http.request(method, url, **content))
        try:
            while not (await asyncio.wait([asked], timeout=LATE))[0]:
                if not (self._starting() or await self.ready(HUNG) or asked.done()):
                    raise self.unreachable(httpx.ReadTimeout("it hangs"))
            return asked.result()
        except httpx.HTTPError as error:
            raise self.unreachable(error) from None
        finally:
            asked.cancel()

    def unreachable(self, error: httpx.HTTPError) -> TrackingUnreachable:
        """What it means that there is no answer."""
        return TrackingUnreachable(
            f"MLflow at {self.uri} does not answer ({type(error).__name__}).",
            remedy=BACK,
        )

    def refusal(self, answer: httpx.Response, url: str) -> InvalidInput | TrackingUnreachable:
        """What an answer that is none means."""
        said = _json(answer)
        message = (said or {}).get("message") or (said or {}).get("detail")
        code = (said or {}).get("error_code")
        # 401 and 403 can be mended by the owner, so nothing is given up for them; and what is
        # not MLflow's own refusal is that of something in front of it, which may pass
        if answer.status_code in range(400, 500) and said is not None:
            if answer.status_code not in (401, 403, 408, 429):
                return InvalidInput(
                    f"MLflow refused {url}: {message or answer.status_code}", field=code
                )
        elif answer.status_code == 413:
            return InvalidInput(f"{url} is larger than what is in front of MLflow lets through.")
        return TrackingUnreachable(
            f"MLflow at {self.uri} answered {answer.status_code}: {message or 'no reason'}."
        )


def _json(answer: httpx.Response) -> dict[str, Any] | None:
    """What MLflow said; None: it was not MLflow."""
    try:
        said = json.loads(answer.content or b"{}")
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _verify(uri: str) -> bool | ssl.SSLContext:
    """As MLflow's own client is told: MLFLOW_TRACKING_INSECURE_TLS and …_SERVER_CERT_PATH."""
    insecure = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
    if insecure or not uri.startswith("https:"):
        return False  # without TLS, loading the certificates would only take time
    certificates = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
    return ssl.create_default_context(cafile=certificates) if certificates else True


def _auth(token: str | None) -> httpx.Auth | None:
    """The token, else what MLflow's own client would take from the environment."""
    if token:
        return _Bearer(token)
    user = os.environ.get("MLFLOW_TRACKING_USERNAME")
    if user:
        return httpx.BasicAuth(user, os.environ.get("MLFLOW_TRACKING_PASSWORD", ""))
    return None


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["Authorization"] = self._header
        yield request
