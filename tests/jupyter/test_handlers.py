"""The server extension: who may do what, what is passed on, what is refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError
from tornado.simple_httpclient import HTTPStreamClosedError

from conftest import write_notebook
from perijove.errors import HubUnreachable
from perijove.jupyter.computehandlers import COMPUTE_ROUTES
from perijove.jupyter.events import Cursor
from perijove.jupyter.gallery import GALLERY
from perijove.jupyter.gateway import Gateway
from perijove.jupyter.handlers import ROUTES
from perijove.jupyter.modelhandlers import MODEL_ROUTES
from perijove.jupyter.studio import STUDIO

pytest_plugins = ["pytest_jupyter.jupyter_server"]

PAIRS = {
    ("GET", "status"): ("read", "perijove:workspace"),
    ("GET", "environments"): ("read", "perijove:workspace"),
    ("POST", "environments"): ("write", "perijove:workspace"),
    ("GET", "environments/x"): ("read", "perijove:workspace"),
    ("DELETE", "environments/x"): ("write", "perijove:workspace"),
    ("GET", "environments/x/wait"): ("read", "perijove:workspace"),
    ("GET", "environments/x/logs"): ("read", "perijove:workspace"),
    ("POST", "environments/x/build"): ("write", "perijove:workspace"),
    ("GET", "compute"): ("read", "perijove:compute"),
    ("POST", "compute"): ("write", "perijove:compute"),
    ("GET", "compute/x"): ("read", "perijove:compute"),
    ("GET", "compute/x/nodes"): ("read", "perijove:compute"),
    ("GET", "compute/x/logs"): ("read", "perijove:compute"),
    ("GET", "compute/x/environments"): ("read", "perijove:compute"),
    ("GET", "compute/x/kernels"): ("read", "perijove:compute"),
    ("DELETE", "kernels/x"): ("execute", "perijove:compute"),
    ("GET", "compute/x/events"): ("read", "perijove:compute"),
    ("POST", "compute/x/start"): ("execute", "perijove:compute"),
    ("POST", "compute/x/stop"): ("execute", "perijove:compute"),
    ("POST", "compute/x/restart"): ("execute", "perijove:compute"),
    ("POST", "compute/x/scale"): ("execute", "perijove:compute"),
    ("POST", "compute/x/keep-running"): ("execute", "perijove:compute"),
    ("POST", "compute/x/delete"): ("write", "perijove:compute"),
    ("POST", "host-keys"): ("write", "perijove:compute"),
    ("GET", "gallery"): ("read", "perijove:notebooks"),
    ("GET", "gallery/x"): ("read", "perijove:notebooks"),
    ("GET", "experiments"): ("read", "perijove:experiments"),
    ("POST", "experiments"): ("write", "perijove:experiments"),
    ("GET", "experiments/columns"): ("read", "perijove:experiments"),
    ("GET", "experiments/x"): ("read", "perijove:experiments"),
    ("PATCH", "experiments/x"): ("write", "perijove:experiments"),
    ("POST", "experiments/x/delete"): ("write", "perijove:experiments"),
    ("POST", "experiments/x/restore"): ("write", "perijove:experiments"),
    ("GET", "experiments/x/views"): ("read", "perijove:experiments"),
    ("POST", "experiments/x/views"): ("write", "perijove:experiments"),
    ("POST", "experiments/x/views/rename"): ("write", "perijove:experiments"),
    ("POST", "experiments/x/views/delete"): ("write", "perijove:experiments"),
    ("POST", "runs/search"): ("read", "perijove:runs"),
    ("POST", "runs/csv"): ("read", "perijove:runs"),
    ("POST", "runs/history"): ("read", "perijove:runs"),
    ("POST", "runs/delete"): ("write", "perijove:runs"),
    ("POST", "runs/restore"): ("write", "perijove:runs"),
    ("GET", "runs/notebook-diff"): ("read", "perijove:runs"),
    ("GET", "runs/x"): ("read", "perijove:runs"),
    ("PATCH", "runs/x"): ("write", "perijove:runs"),
    ("GET", "runs/x/lineage"): ("read", "perijove:runs"),
    ("GET", "runs/x/artifacts"): ("read", "perijove:runs"),
    ("GET", "runs/x/artifacts/preview"): ("read", "perijove:runs"),
    ("GET", "runs/x/artifacts/file"): ("read", "perijove:runs"),
    ("GET", "jobs"): ("read", "perijove:jobs"),
    ("POST", "jobs"): ("execute", "perijove:jobs"),
    ("GET", "jobs/x"): ("read", "perijove:jobs"),
    ("DELETE", "jobs/x"): ("write", "perijove:jobs"),
    ("POST", "jobs/x/cancel"): ("execute", "perijove:jobs"),
    ("POST", "jobs/x/rerun"): ("execute", "perijove:jobs"),
    ("GET", "jobs/x/run-link"): ("execute", "perijove:workspace"),
    ("GET", "jobs/x/wait"): ("read", "perijove:jobs"),
    ("GET", "jobs/x/files/a/b"): ("read", "perijove:jobs"),
    ("POST", "prune"): ("write", "perijove:jobs"),
    ("POST", "notebooks/inspect"): ("read", "perijove:notebooks"),
    ("POST", "definitions"): ("write", "perijove:notebooks"),
    ("GET", "models"): ("read", "perijove:models"),
    ("GET", "model"): ("read", "perijove:models"),
    ("PATCH", "model"): ("write", "perijove:models"),
    ("GET", "model/uses"): ("read", "perijove:models"),
    ("POST", "model/delete"): ("write", "perijove:models"),
    ("GET", "model/versions"): ("read", "perijove:models"),
    ("POST", "model/versions"): ("write", "perijove:models"),
    ("GET", "model/version"): ("read", "perijove:models"),
    ("PATCH", "model/version"): ("write", "perijove:models"),
    ("POST", "model/version/delete"): ("write", "perijove:models"),
    ("GET", "model/version/facts"): ("read", "perijove:models"),
    ("GET", "model/version/download"): ("read", "perijove:models"),
    ("PUT", "model/alias"): ("write", "perijove:models"),
    ("DELETE", "model/alias"): ("write", "perijove:models"),
    ("POST", "model/uploads"): ("write", "perijove:models"),
}


WRITES = ("POST", "PUT", "PATCH")


class Recording(Authorizer):  # type: ignore[misc]
    """Refuses everything, and remembers what was asked."""

    asked: list[tuple[str, str]] = []

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        Recording.asked.append((action, resource))
        return False


class FakeGateway(Gateway):
    """Answers without a hub, and remembers what was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, str, Any]] = []
        self.away = False
        self.text: str | None = None

    async def send(self, method: str, path: str, **content: Any) -> httpx.Response:
        if self.away:
            raise HubUnreachable("The hub does not answer.", remedy="See: perijove status.")
        self.sent.append((method, path, content.get("json")))
        if self.text is not None:
            return httpx.Response(200, text=self.text)
        return httpx.Response(200, json={"path": path})


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {"perijove": True}}}


@pytest.fixture
def gateway(jp_serverapp: Any) -> Iterator[FakeGateway]:
    made = FakeGateway()
    jp_serverapp.web_app.settings["perijove_gateway"] = made
    return made


Fetch = Callable[..., Any]


async def refused(fetch: Fetch, *parts: str, **options: Any) -> tuple[int, dict[str, Any]]:
    with pytest.raises(HTTPClientError) as error:
        await fetch("perijove", "api", *parts, **options)
    body = error.value.response.body
    return error.value.code, json.loads(body)["error"] if body.startswith(b"{") else {}


async def test_every_verb_refuses_without_a_token(
    jp_fetch: Fetch, gateway: FakeGateway, jp_base_url: str, http_server_client: Any
) -> None:
    for method, path in PAIRS:
        url = f"{jp_base_url}perijove/api/{path}"
        body = "{}" if method in WRITES else None
        answer = await http_server_client.fetch(
            url, method=method, body=body, raise_error=False, follow_redirects=False
        )
        assert answer.code in (302, 401, 403), (method, path, answer.code)
    answer = await http_server_client.fetch(f"{jp_base_url}perijove/events", raise_error=False)
    assert answer.code in (401, 403)
    assert gateway.sent == []


async def test_every_verb_asks_for_its_own_action_and_resource(
    jp_fetch: Fetch, gateway: FakeGateway, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = jp_serverapp.web_app.settings
    monkeypatch.setitem(settings, "authorizer", Recording(parent=jp_serverapp))
    for (method, path), pair in [*PAIRS.items(), *reversed(PAIRS.items())]:
        Recording.asked.clear()
        body = {"body": "{}"} if method in WRITES else {}
        code, _ = await refused(jp_fetch, path, method=method, **body)
        assert code == 403
        assert Recording.asked == [pair], (method, path)


def test_the_table_has_every_route() -> None:
    import re

    routes = [*ROUTES, *COMPUTE_ROUTES, *STUDIO, *MODEL_ROUTES, *GALLERY]
    covered = {p for p, _ in routes if any(re.fullmatch(p, path) for _, path in PAIRS)}
    assert covered == {pattern for pattern, _ in routes}


async def test_the_root_is_always_the_server_s(
    jp_fetch: Fetch, gateway: FakeGateway, jp_root_dir: Path
) -> None:
    write_notebook(jp_root_dir / "n.ipynb", "1")
    body = json.dumps({"path": "n.ipynb", "root": "/etc"})
    await jp_fetch("perijove", "api", "jobs", method="POST", body=body)
    assert gateway.sent == [
        ("POST", "/jobs", {"path": "n.ipynb", "root": str(jp_root_dir.resolve())})
    ]


@pytest.mark.parametrize("body", ["", "[]", "{", "null", "[" * 100_000])
async def test_a_body_that_is_no_object_is_refused(
    jp_fetch: Fetch, gateway: FakeGateway, body: str
) -> None:
    code, error = await refused(
        jp_fetch, "jobs", method="POST", body=body, allow_nonstandard_methods=True
    )
    assert (code, error["field"]) == (422, "body")
    assert gateway.sent == []


async def test_an_absent_hub_is_a_503_with_a_remedy(jp_fetch: Fetch, gateway: FakeGateway) -> None:
    gateway.away = True
    code, error = await refused(jp_fetch, "jobs")
    assert (code, error["code"]) == (503, "hub_unreachable")
    assert "perijove status" in error["remedy"]


async def test_names_in_paths_are_quoted(jp_fetch: Fetch, gateway: FakeGateway) -> None:
    await jp_fetch("perijove", "api", "jobs", "a b?c")
    assert gateway.sent[0][1] == "/jobs/a%20b%3Fc"


@pytest.mark.parametrize(
    ("text", "type_"), [("<b>said</b>\n", "text/plain"), (None, "application/json")]
)
async def test_the_hub_s_content_type_is_passed_on(
    jp_fetch: Fetch, gateway: FakeGateway, text: str | None, type_: str
) -> None:
    gateway.text = text
    answer = await jp_fetch("perijove", "api", "jobs", "x", "log")
    assert answer.headers["Content-Type"].startswith(type_)


class FileGateway(FakeGateway):
    """A hub that answers with a file, or breaks after some of its pieces."""

    def __init__(self, *pieces: bytes, length: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.length = length
        self.forgotten: list[httpx.AsyncClient] = []

    async def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.serve), base_url="http://hub")

    async def forget(self, client: httpx.AsyncClient) -> None:
        self.forgotten.append(client)

    def serve(self, request: httpx.Request) -> httpx.Response:
        if not self.pieces and self.length:
            raise httpx.ConnectError("gone")
        headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Length": str(self.length)}
        return httpx.Response(200, headers=headers, content=self.read())

    async def read(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if sum(map(len, self.pieces)) < self.length:
            raise httpx.ReadError("the hub was killed")


@pytest.fixture
def serve(jp_serverapp: Any) -> Callable[..., FileGateway]:
    def make(*pieces: bytes, length: int) -> FileGateway:
        made = FileGateway(*pieces, length=length)
        jp_serverapp.web_app.settings["perijove_gateway"] = made
        return made

    return make


@pytest.mark.parametrize("pieces", [[], [b"a,b\n"], [b"a,b\n", b"1,2\n"]])
async def test_a_file_has_its_type_and_cannot_act_as_a_page_of_ours(
    jp_fetch: Fetch, serve: Callable[..., FileGateway], pieces: list[bytes]
) -> None:
    serve(*pieces, length=sum(map(len, pieces)))
    path = ("perijove", "api", "jobs", "x", "files", "outputs", "été.csv")
    answer = await jp_fetch(*path, params={"download": "1"})
    assert answer.body == b"".join(pieces)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == "sandbox allow-scripts"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    named = "attachment; filename*=UTF-8''%C3%A9t%C3%A9.csv"
    assert answer.headers["Content-Disposition"] == named


async def test_a_file_of_an_absent_hub_is_a_503_with_a_remedy(
    jp_fetch: Fetch, serve: Callable[..., FileGateway]
) -> None:
    gateway = serve(length=9)
    code, error = await refused(jp_fetch, "jobs", "x", "files", "a.csv")
    assert (code, error["code"]) == (503, "hub_unreachable")
    assert "perijove status" in error["remedy"]
    assert len(gateway.forgotten) == 1


async def test_a_file_that_breaks_off_does_not_look_complete(
    jp_fetch: Fetch, serve: Callable[..., FileGateway]
) -> None:
    serve(b"a,b\n", length=9)
    with pytest.raises((HTTPClientError, HTTPStreamClosedError)):
        await jp_fetch("perijove", "api", "jobs", "x", "files", "a.csv")


def test_a_cursor_goes_on_where_the_stream_broke() -> None:
    cursor = Cursor("3", ["job-1:5", "job-2:0"])
    cursor.advance("event: jobs\nid: 9\ndata: []")
    cursor.advance('event: job_event\ndata: {"job_id": "job-1", "seq": 8}')
    assert cursor.query() == "after=9&watch=job-1%3A8&watch=job-2%3A0"


async def test_the_gallery_has_its_notebooks(jp_fetch: Any) -> None:
    listed = json.loads((await jp_fetch("perijove/api/gallery")).body)
    assert [entry["name"] for entry in listed][:2] == ["train.ipynb", "compare.ipynb"]
    [sweep] = [entry for entry in listed if entry["name"] == "sweep.ipynb"]
    assert sweep["title"] == "Sweep by hand"
    assert sweep["companions"] == ["train.ipynb"]
    for entry in listed:
        notebook = json.loads((await jp_fetch("perijove/api/gallery", entry["name"])).body)
        assert notebook["nbformat"] == 4
    with pytest.raises(HTTPClientError) as raised:
        await jp_fetch("perijove/api/gallery/..%2Ftrain.ipynb")
    assert raised.value.code == 404
