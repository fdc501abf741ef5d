"""The route of dashboards: behind the login, for those who may, and for our notebooks only."""

from __future__ import annotations

from typing import Any
from unittest.mock import AsyncMock

import httpx
import pytest
from jupyter_server.auth.authorizer import Authorizer

from perijove.client.dashboards import Dashboard, asked, folder

pytest_plugins = ["pytest_jupyter.jupyter_server"]


class Nobody(Authorizer):
    """Lets nobody do anything, and remembers what was asked for."""

    seen: list[tuple[str, str]] = []

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        self.seen.append((action, resource))
        return False


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    enabled = {"perijove": True, "voila.server_extension": True}
    return {"ServerApp": {"jpserver_extensions": enabled}}


async def test_a_stranger_is_sent_to_the_login(jp_fetch: Any) -> None:
    for token in ("", "token wrong"):
        answer = await jp_fetch(
            "perijove/dashboards/workspace",
            headers={"Authorization": token},
            raise_error=False,
            follow_redirects=False,
        )
        assert answer.code == 302
        assert "/login" in answer.headers["Location"]


async def test_it_takes_a_right_of_its_own(jp_fetch: Any, jp_serverapp: Any) -> None:
    jp_serverapp.web_app.settings["authorizer"] = Nobody(parent=jp_serverapp)
    answer = await jp_fetch("perijove/dashboards/workspace", raise_error=False)
    assert answer.code == 403
    assert Nobody.seen[-1] == ("execute", "perijove:dashboards")


@pytest.mark.parametrize("name", ["other", "prediction", "workspace.ipynb", "..%2F..%2Fsecret"])
async def test_only_ours_are_shown(jp_fetch: Any, name: str) -> None:
    answer = await jp_fetch(f"perijove/dashboards/{name}", raise_error=False)
    assert answer.code == 404


@pytest.mark.parametrize("name", ["leaderboard", "model_card"])
async def test_while_mlflow_is_away_it_is_said(name: str, jp_fetch: Any, jp_serverapp: Any) -> None:
    gateway = AsyncMock()
    gateway.send.return_value = httpx.Response(200, json={"tracking_state": "unreachable"})
    jp_serverapp.web_app.settings["perijove_gateway"] = gateway
    answer = await jp_fetch(f"perijove/dashboards/{name}", raise_error=False)
    assert answer.code == 503
    page = answer.body.decode()
    assert "MLflow does not answer." in page
    assert 'http-equiv="refresh"' in page  # it asks again by itself


def test_what_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["first", "from the shell", "a/b & c"]
    assert asked("experiment", names) == "first"
    assert asked("experiment", []) == ""
    monkeypatch.setenv("PERIJOVE_DASHBOARD_EXPERIMENT", "from the shell")
    assert asked("experiment", names) == "from the shell"
    monkeypatch.setenv("QUERY_STRING", "theme=dark&experiment=a%2Fb+%26+c")
    assert asked("experiment", names) == "a/b & c"
    assert not capsys.readouterr().out
    assert asked("experiment", ["first"]) == "first"
    assert capsys.readouterr().out == "There is no experiment 'a/b & c'.\n"


def test_every_dashboard_is_there() -> None:
    for name in Dashboard:
        assert (folder() / f"{name}.ipynb").is_file()
