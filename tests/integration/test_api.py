"""The hub's HTTP API against a real hub: credentials, bad input, and what schemathesis tries."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from conftest import MakeNotebook, perijove
from perijove.hub.app import create_app

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def up(session_home: Path) -> dict[str, str]:
    answer: dict[str, str] = json.loads(perijove("up", "--json", home=session_home).stdout)
    return answer


@pytest.fixture
def client(up: dict[str, str]) -> httpx.Client:
    headers = {"Authorization": f"Bearer {up['token']}"}
    return httpx.Client(base_url=up["url"], headers=headers, timeout=60)


def test_every_route_refuses_without_credentials(up: dict[str, str]) -> None:
    paths = create_app(None).openapi()["paths"]
    assert len(paths) >= 20
    stranger = httpx.Client()
    tried = [(method.upper(), path) for path, verbs in paths.items() for method in verbs]
    for method, path in [*tried, ("GET", "/api/openapi.json"), ("GET", "/"), ("POST", "/nothing")]:
        url = up["url"] + path.replace("{job_id}", "x").replace("{path}", "y")
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}):
            answer = stranger.request(method, url, headers=headers)
            assert answer.status_code == 401, (method, path)
            assert answer.json()["error"]["code"] == "not_authorized"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", "[::2]"])
def test_a_hostile_host_is_refused(client: httpx.Client, host: str) -> None:
    assert client.get("/api/status", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"parameters": {"a=1\nimport os": 1}}, "parameters"),
        ({"parameters": {"class": 1}}, "parameters.class"),
        ({"parameters": {"a": 2**70}}, "parameters.a"),
        ({"parameters": []}, "parameters"),
        ({"name": "a/b"}, "name"),
        ({"name": "<b>x</b>"}, "name"),
        ({"name": "x\u202ey"}, "name"),
        ({"name": "x\x00y"}, "name"),
        ({"name": "x" * 300}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"experiment": ""}, "experiment"),
        ({"path": "../x.ipynb"}, "path"),
        ({"path": "/etc/passwd"}, "path"),
        ({"path": "a\x00.ipynb"}, "path"),
        ({"timeout": -1}, "timeout"),
        ({"retries": 1.5}, "retries"),
        ({"tags": {"mlflow.user": "x"}}, "tags"),
        ({"unknown": 1}, "unknown"),
        ({"id": "not-a-uuid"}, "id"),
        ({"compute": "nowhere"}, "compute"),
        ({"environment": "no-such-kernel"}, "environment"),
    ],
)
def test_a_bad_submission_names_the_field(
    client: httpx.Client, notebook: MakeNotebook, change: dict[str, Any], field: str
) -> None:
    path = notebook("1")
    body = {"path": path.name, "root": str(path.parent)} | change
    before = len(client.get("/api/jobs").json())
    answer = client.post("/api/jobs", content=json.dumps(body), headers=JSON)
    assert answer.status_code == (404 if field in ABSENT else 422), answer.text
    assert answer.json()["error"]["field"].startswith(field)
    assert len(client.get("/api/jobs").json()) == before


ABSENT = ("compute", "environment")
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b"null", b'{"path": NaN}', b'{"parameters": {"a": NaN}}',
        b'{"parameters": {"a": Infinity}}', b'{"path": "a.ipynb", "parameters": {"a": -Infinity}}',
        b'{"parameters": {"a": ' + b"[" * 1000 + b"]" * 1000 + b"}}", b"\xff\xfe", b"[" * 200_000,
    ],
)  # fmt: skip
def test_a_body_that_is_no_submission_is_a_4xx(client: httpx.Client, raw: bytes) -> None:
    answer = client.post("/api/jobs", content=raw, headers=JSON)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["error"]["message"]


def test_a_huge_body_is_refused_before_it_is_read(up: dict[str, str]) -> None:
    host, port = up["url"].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            b"POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer "
            + up["token"].encode()
            + b"\r\nContent-Length: 1000000000\r\n\r\n"
        )
        assert b" 413 " in connection.recv(100)


def test_a_chunked_huge_body_is_cut_off(client: httpx.Client) -> None:
    pieces = (b"x" * 1_000_000 for _ in range(40))
    try:
        assert client.post("/api/jobs", content=pieces, headers=JSON).status_code == 413
    except httpx.WriteError:
        pass  # the hub closed the connection while we were still sending


def test_the_same_id_twice_is_one_job(client: httpx.Client, notebook: MakeNotebook) -> None:
    path = notebook("1")
    body = {"path": path.name, "root": str(path.parent), "id": str(uuid4())}
    first, second = (client.post("/api/jobs", json=body) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]


def test_events_resume_without_gaps(client: httpx.Client, notebook: MakeNotebook) -> None:
    path = notebook("print(1)", "print(2)", "3")
    job = client.post("/api/jobs", json={"path": path.name, "root": str(path.parent)}).json()
    client.get(f"/api/jobs/{job['id']}/wait", params={"until": "recorded"})
    url = f"/api/jobs/{job['id']}/events"
    whole = [json.loads(line) for line in client.get(url).text.splitlines()]
    assert [event["seq"] for event in whole] == list(range(1, len(whole) + 1))
    for cut in (0, 3, len(whole) - 1):
        rest = [
            json.loads(line) for line in client.get(url, params={"after": cut}).text.splitlines()
        ]
        assert rest == whole[cut:]


def test_parameters_are_inspected(client: httpx.Client, notebook: MakeNotebook) -> None:
    path = notebook("1", parameters="lr: float = 0.1  # learning rate\nnames = ['a']\nx = None")
    body = {"path": path.name, "root": str(path.parent)}
    found = client.post("/api/notebooks/inspect", json=body).json()
    assert [(p["name"], p["type"], p["default"], p["help"]) for p in found["parameters"]] == [
        ("lr", "float", 0.1, "learning rate"),
        ("names", "list", ["a"], ""),
        ("x", "None", None, ""),
    ]


# their texts are addresses, names of machines, filters and orders: no schema says which there are
ADDRESSES = ("/api/compute", "/api/host-keys", "/api/listen", "/api/model/versions")
QUESTIONS = ("/api/experiments", "/api/runs/search", "/api/runs/csv", "/api/runs/history")


def test_schemathesis_finds_nothing(up: dict[str, str]) -> None:
    """All checks, on every route but those that end the hub, never end, or build what was made
    up: `test_environments` has that one."""
    _schemathesis(
        up,
        *("--exclude-path", "/api/shutdown", "--exclude-path", "/api/events"),
        *("--exclude-operation-id", "create_api_environments_post"),
        *("--exclude-path", "/api/host-keys", "--exclude-path", "/api/listen"),
        *("--exclude-operation-id", "create_api_compute_post"),
        *("--exclude-operation-id", "register_api_model_versions_post"),
        *(word for path in QUESTIONS for word in ("--exclude-path", path)),
    )


def test_schemathesis_finds_nothing_in_addresses(up: dict[str, str]) -> None:
    """The same, except that an address, a filter, or what is registered, may be refused."""
    paths = [word for path in ADDRESSES + QUESTIONS for word in ("--include-path", path)]
    _schemathesis(up, *paths, "--exclude-checks", "positive_data_acceptance")


def _schemathesis(up: dict[str, str], *options: str) -> None:
    done = subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis",
            "run",
            f"{up['url']}/api/openapi.json",
            *("--header", f"Authorization: Bearer {up['token']}"),
            *options,
            *("--checks", "all", "--max-examples", "15", "--seed", "1", "--request-timeout", "60"),
            *("--no-color", "--suppress-health-check", "all"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2000:]
