"""Jupyter's own gates before our routes: tokens, cookies, `_xsrf`, origins and hosts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from perijove.jupyter.gateway import Gateway

pytest_plugins = ["pytest_jupyter.jupyter_server"]

STATUS = ("GET", "api/status")
CHANGES = [
    ("POST", "api/jobs"),
    ("DELETE", "api/jobs/x"),
    ("POST", "api/jobs/x/cancel"),
    ("POST", "api/jobs/x/rerun"),
    ("POST", "api/prune"),
    ("POST", "api/compute"),
    ("POST", "api/compute/x/stop"),
    ("POST", "api/compute/x/delete"),
    ("POST", "api/environments"),
    ("DELETE", "api/environments/x"),
    ("POST", "api/environments/x/build"),
    ("POST", "api/notebooks/inspect"),
    ("POST", "api/definitions"),
]
EVERY = [
    STATUS,
    *CHANGES,
    ("GET", "api/jobs/x/run-link"),
    ("GET", "api/jobs/x/files/a"),
    ("GET", "events"),
]


class SilentGateway(Gateway):
    """Answers without a hub, and remembers what came through."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, str]] = []
        self.queries: list[Any] = []

    async def client(self) -> httpx.AsyncClient:
        raise AssertionError("nothing may come through to the hub")

    async def send(self, method: str, path: str, **content: Any) -> httpx.Response:
        self.sent.append((method, f"api{path}"))
        self.queries.append(content.get("params", []))
        return httpx.Response(200, json={"path": path})


@dataclass
class Browser:
    """What a browser keeps of a Jupyter server."""

    fetch: Callable[..., Any]
    base: str
    cookies: dict[str, str]

    async def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, **query: str
    ) -> Any:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await self.fetch(
            f"{self.base}{path}?{httpx.QueryParams(query)}",
            method=method,
            headers=({"Cookie": cookies} if cookies else {}) | (headers or {}),
            body="{}" if method == "POST" else None,
            raise_error=False,
            follow_redirects=False,
        )
        for line in answer.headers.get_list("Set-Cookie"):
            self.cookies |= {key: morsel.value for key, morsel in SimpleCookie(line).items()}
        return answer


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {"perijove": True}}}


@pytest.fixture
def gateway(jp_serverapp: Any) -> SilentGateway:
    made = SilentGateway()
    jp_serverapp.web_app.settings["perijove_gateway"] = made
    return made


@pytest.fixture
def stranger(gateway: SilentGateway, http_server_client: Any, jp_base_url: str) -> Browser:
    return Browser(http_server_client.fetch, jp_base_url, {})


async def signed_in(browser: Browser, app: Any) -> Browser:
    """With the cookies that the login page and a link with the token leave."""
    await browser.ask("GET", "login")
    await browser.ask("GET", "api/status", token=app.identity_provider.token)
    assert "_xsrf" in browser.cookies
    assert any(name.startswith("username-") for name in browser.cookies)
    return browser


@pytest.mark.parametrize(("method", "path"), EVERY)
async def test_a_request_without_or_with_a_wrong_token_is_refused(
    stranger: Browser, gateway: SilentGateway, method: str, path: str
) -> None:
    for headers in ({}, {"Authorization": "token wrong"}, {"Authorization": "Bearer"}):
        answer = await stranger.ask(method, f"perijove/{path}", headers)
        assert answer.code in (401, 403), headers
    answer = await stranger.ask(method, f"perijove/{path}", token="wrong")
    assert answer.code in (401, 403)
    assert gateway.sent == []


async def test_a_cookie_is_enough_to_read(
    stranger: Browser, gateway: SilentGateway, jp_serverapp: Any
) -> None:
    browser = await signed_in(stranger, jp_serverapp)
    assert (await browser.ask("GET", "perijove/api/status")).code == 200
    assert gateway.sent == [STATUS]


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_a_cookie_without_xsrf_changes_nothing_and_with_it_does(
    stranger: Browser, gateway: SilentGateway, jp_serverapp: Any, method: str, path: str
) -> None:
    browser = await signed_in(stranger, jp_serverapp)
    for headers in ({}, {"X-XSRFToken": "wrong"}):
        answer = await browser.ask(method, f"perijove/{path}", headers)
        assert answer.code == 403, headers
        assert "XSRF" in json.loads(answer.body)["error"]["message"].upper()
    assert gateway.sent == []
    given = {"X-XSRFToken": browser.cookies["_xsrf"]}
    assert (await browser.ask(method, f"perijove/{path}", given)).code == 200
    assert gateway.sent == [(method, path)]


@pytest.mark.parametrize(("method", "path"), EVERY)
async def test_a_page_of_another_origin_is_refused_even_with_cookies_and_xsrf(
    stranger: Browser, gateway: SilentGateway, jp_serverapp: Any, method: str, path: str
) -> None:
    browser = await signed_in(stranger, jp_serverapp)
    hostile = {"X-XSRFToken": browser.cookies["_xsrf"], "Origin": "https://evil.example"}
    answer = await browser.ask(method, f"perijove/{path}", hostile)
    assert answer.code in (403, 404)
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert gateway.sent == []


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "10.0.0.1"])
@pytest.mark.parametrize(("method", "path"), EVERY)
async def test_a_hostile_host_is_refused_even_with_the_token(
    stranger: Browser,
    gateway: SilentGateway,
    jp_auth_header: dict[str, str],
    method: str,
    path: str,
    host: str,
) -> None:
    answer = await stranger.ask(method, f"perijove/{path}", {**jp_auth_header, "Host": host})
    assert answer.code == 403
    assert gateway.sent == []


async def test_the_token_is_enough_for_everything_and_is_not_passed_on(
    stranger: Browser, gateway: SilentGateway, jp_serverapp: Any
) -> None:
    token = jp_serverapp.identity_provider.token
    for method, path in [STATUS, *CHANGES]:
        gateway.sent.clear()
        browser = Browser(stranger.fetch, stranger.base, {})
        assert (await browser.ask(method, f"perijove/{path}", token=token)).code == 200
        assert gateway.sent == [(method, path)]
    assert token not in str(gateway.queries)
