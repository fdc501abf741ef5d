"""Who gets through to MLflow's application; a stand-in answers behind the guard."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest

from perijove.models.tokens import AttemptToken, sign
from perijove.models.workspaces import WorkspaceFolder
from perijove.tracking.guard import GRACE, Guard, caller, cookie_name
from tracking.conftest import KEY, OWNER, attempt_token, end_attempt, make_folder

pytestmark = pytest.mark.asyncio

HOST = "127.0.0.1:5000"


async def _app(scope: Any, receive: Any, send: Any) -> None:
    attempt = caller.get()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    who = "owner" if attempt is None else attempt.job_id
    await send({"type": "http.response.body", "body": who.encode()})


@pytest.fixture
def folder(tmp_path: Path) -> WorkspaceFolder:
    return make_folder(tmp_path)


@pytest.fixture
def guard(folder: WorkspaceFolder) -> Guard:
    return Guard(_app, folder.secrets, folder.jobs, lambda run_id: True)


async def ask(
    guard: Guard, path: str = "/", method: str = "GET", token: str | None = None, **headers: str
) -> httpx.Response:
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    if token is not None:
        given["authorization"] = f"Bearer {token}"
    transport = httpx.ASGITransport(guard)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
        return await client.request(method, path, headers=given)


async def test_no_credentials(guard: Guard) -> None:
    answer = await ask(guard)
    assert answer.status_code == 401
    assert "Basic" in answer.headers["www-authenticate"]
    assert answer.json()["error_code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer wrong", "Basic ???", "Basic", f"Digest {OWNER}", OWNER]
)
async def test_wrong_credentials(guard: Guard, header: str) -> None:
    assert (await ask(guard, authorization=header)).status_code == 401


async def test_the_owner(guard: Guard) -> None:
    assert (await ask(guard, "/graphql", "POST", OWNER)).text == "owner"
    basic = base64.b64encode(f"anybody:{OWNER}".encode()).decode()
    assert (await ask(guard, authorization=f"Basic {basic}")).text == "owner"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:5000", 401), ("LOCALHOST:5000", 401), ("[::1]:5000", 401), ("[::1]", 401),
        ("evil.example", 403), ("127.0.0.1.evil.example:5000", 403), ("", 403),
        ("evil.example:127.0.0.1", 403), ("localhost.:5000", 403), ("0.0.0.0:5000", 403),
    ],
)  # fmt: skip
async def test_host(guard: Guard, host: str, status: int) -> None:
    assert (await ask(guard, host=host)).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (f"http://{HOST}", 200), ("http://127.0.0.1:8888", 403), ("http://localhost:5000", 403),
        ("https://evil.example", 403), ("null", 403),
    ],
)  # fmt: skip
async def test_origin(guard: Guard, origin: str, status: int) -> None:
    answer = await ask(guard, "/ajax-api/2.0/mlflow/runs/delete", "POST", OWNER, origin=origin)
    assert answer.status_code == status


async def test_a_browser_signs_in_by_link(guard: Guard) -> None:
    answer = await ask(guard, f"/?token={OWNER}&x=</script>")
    cookie = answer.headers["set-cookie"]
    assert answer.status_code == 200
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert OWNER not in cookie + answer.text
    assert answer.text.count("</script>") == 1
    assert answer.headers["referrer-policy"] == "no-referrer"
    session = cookie.partition(";")[0]
    assert (await ask(guard, cookie=session)).text == "owner"
    name, _, value = session.partition("=")
    assert name == cookie_name("5000")
    for wrong in (
        f"{name}={OWNER}",
        f"{name}={value[:-1]}",
        f"{cookie_name('5001')}={value}",
        name,
    ):
        assert (await ask(guard, cookie=wrong)).status_code == 401


async def test_a_link_with_a_wrong_token(guard: Guard, folder: WorkspaceFolder) -> None:
    for token in ("wrong", "", attempt_token(folder)):
        answer = await ask(guard, f"/?token={token}")
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
    assert (await ask(guard, f"/graphql?token={OWNER}")).status_code == 401


async def test_a_token_ends_with_its_attempt(guard: Guard, folder: WorkspaceFolder) -> None:
    token = attempt_token(folder, job_id="job")
    assert (await ask(guard, "/version", token=token)).text == "job"
    end_attempt(folder, "job", GRACE / 2)
    assert (await ask(guard, "/version", token=token)).status_code == 200
    end_attempt(folder, "job", GRACE * 2)
    assert (await ask(guard, "/version", token=token)).status_code == 401


async def test_a_token_ends_with_its_job(guard: Guard) -> None:
    token = sign(AttemptToken(job_id="deleted", attempt=1, run_id=""), KEY)
    assert (await ask(guard, "/version", token=token)).status_code == 401


async def test_a_job_waits_for_its_run(folder: WorkspaceFolder) -> None:
    looks = iter([False, False, True])
    guard = Guard(_app, folder.secrets, folder.jobs, lambda run_id: next(looks))
    token = attempt_token(folder, run_id="run")
    for _ in range(2):
        assert (await ask(guard, "/version", token=token)).status_code == 200
    assert list(looks) == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/2.0/mlflow/runs/create", 200),
        ("POST", "/api/2.0/mlflow/runs/log-batch", 200),
        ("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval", 200),
        ("POST", "/api/2.0/mlflow/experiments/create", 200),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/0/run/artifacts/a//b", 200),
        ("POST", "/api/2.0/mlflow/registered-models/create", 200),
        ("DELETE", "/api/2.0/mlflow/registered-models/alias", 200),
        ("POST", "/api/2.0/mlflow/logged-models", 200),
        ("POST", "/v1/traces", 200),
        ("GET", "/health", 200),
        ("POST", "/api/2.0/mlflow/experiments/delete", 403),
        ("POST", "/api/2.0/mlflow/experiments//delete", 403),
        ("POST", "/api/2.0/mlflow/experiments/delete/", 403),
        ("POST", "/ajax-api/2.0/mlflow/experiments/restore", 403),
        ("DELETE", "/api/2.0/mlflow/registered-models/delete", 403),
        ("POST", "/api/2.0/mlflow/webhooks", 403),
        ("GET", "/api/3.0/mlflow/gateway/secrets/list", 403),
        ("POST", "/gateway/mlflow/v1/chat/completions", 403),
        ("GET", "/ajax-api/3.0/jobs/1", 403),
        ("PATCH", "/ajax-api/3.0/mlflow/jobs/cancel/1", 403),
        ("GET", "/ajax-api/3.0/mlflow/assistant/config", 403),
        ("PUT", "/api/3.0/mlflow/scorers/online-config", 403),
        ("POST", "/api/3.0/mlflow/workspaces", 403),
        ("POST", "/api/2.0/mlflow/users/create", 403),
        ("POST", "/graphql", 403),
        ("GET", "/", 403),
    ],
)
async def test_what_an_attempt_may(
    guard: Guard, folder: WorkspaceFolder, method: str, path: str, status: int
) -> None:
    answer = await ask(guard, path, method, attempt_token(folder))
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error_code"] == "PERMISSION_DENIED"


async def test_what_nobody_may(guard: Guard) -> None:
    for path in ("/ajax-api/3.0/mlflow/assistant/message", "/ajax-api/3.0/jobs/"):
        assert (await ask(guard, path, "POST", OWNER)).status_code == 403


async def test_web_sockets(guard: Guard, folder: WorkspaceFolder) -> None:
    async def connect(token: str | None) -> list[Any]:
        sent = []

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"host", HOST.encode())]
        if token:
            headers.append((b"authorization", f"Bearer {token}".encode()))
        scope = {"type": "websocket", "path": "/", "query_string": b"", "headers": headers}
        await guard(scope, None, send)  # type: ignore[arg-type]
        return sent

    for token in (None, attempt_token(folder)):
        assert await connect(token) == [{"type": "websocket.close", "code": 1008}]


async def test_a_token_of_kernels_ends_with_their_machine(
    guard: Guard, folder: WorkspaceFolder
) -> None:
    token = sign(AttemptToken(job_id="kernels-box", attempt=0, run_id=""), KEY)
    assert (await ask(guard, "/version", token=token)).status_code == 401
    (folder.compute / "box").mkdir(parents=True)
    assert (await ask(guard, "/version", token=token)).status_code == 200
