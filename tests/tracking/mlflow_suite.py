"""A pytest plug-in for MLflow's own tests: they meet a server, plain or as a job of ours does.

See ``scripts/mlflow-tests``. Tests that start a server of their own get ours in its place; those
that log into a database file log through a server over that file. ``--server job`` is the
embedded server's application, guarded, with its stores, and the process has what a job's process
has: the spooling store, and a sender beside it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

OWNER = "owner-token"
STORES = ("file",)
"""Stores that an embedded server never has."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--server", choices=["plain", "job"], default="plain")


def pytest_configure(config: pytest.Config) -> None:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    import mlflow.server  # noqa: F401  # the installed one, before the checkout's can be found

    sys.path.append(os.getcwd())
    from tests.tracking import integration_test_utils as utils

    utils.ServerThread.shutdown = _stopped
    served = _Job(utils.ServerThread) if config.getoption("server") == "job" else _Plain(utils)
    utils.ServerThread = served.thread
    config.stash[SERVED] = served


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what asks for another kind of server."""
    from tests import conftest

    kept, left_out = [], []
    for item in items:
        parameters = getattr(item, "callspec", None)
        values = () if parameters is None else parameters.params.values()
        other = any(value in STORES for value in values if isinstance(value, str))
        workspaces = "workspace_mlflow_client" in getattr(item, "fixturenames", ())
        (left_out if other or workspaces else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)
    conftest._use_tracking_uri = _through(config.stash[SERVED], conftest._use_tracking_uri)


def _stopped(thread: Any) -> None:
    """At once: a client's connection that is kept would hold it for seconds."""
    thread.server.should_exit = thread.server.force_exit = True


def _through(served: Any, use: Callable[[str], Any]) -> Callable[[str], Any]:
    """What MLflow's tests call with a database's address uses a server over it."""
    made = Path(mkdtemp(prefix="mlflow-suite-"))

    @contextmanager
    def used(uri: str) -> Iterator[None]:
        from mlflow.server import handlers
        from mlflow.server.fastapi_app import app
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
        from tests.helper_functions import get_safe_port

        file = Path(uri.removeprefix("sqlite:///"))
        if not (made / "mlflow.db").exists():
            store = SqlAlchemyStore(f"sqlite:///{made / 'mlflow.db'}", made.as_uri())
            store.engine.dispose()
        shutil.copy(made / "mlflow.db", file)
        handlers._tracking_store = handlers._model_registry_store = None
        handlers.initialize_backend_stores(
            uri, default_artifact_root=(file.parent / "artifacts").as_uri()
        )
        with served.thread(app, get_safe_port()) as url, use(url):
            yield

    return used


class _Plain:
    def __init__(self, utils: Any) -> None:
        self.thread = utils.ServerThread


class _Job:
    """Servers of ours, in the place of plain ones."""

    def __init__(self, plain: Any) -> None:
        self._plain = plain
        self._home = Path(mkdtemp(prefix="mlflow-suite-"))
        secrets = self._home / "secrets.json"
        secrets.write_text(json.dumps({"token": OWNER, "signing_key": "key"}))
        (self._home / "jobs").mkdir()
        os.environ |= {
            "PERIJOVE_SECRETS": str(secrets),
            "PERIJOVE_JOBS": str(self._home / "jobs"),
            "MLFLOW_TRACKING_TOKEN": OWNER,
        }
        from perijove.tracking.announce import Announcer
        from perijove.tracking.app import use_stores

        use_stores(Announcer(None))

    @contextmanager
    def thread(self, _: Any, port: int) -> Iterator[str]:
        from mlflow.server import handlers
        from mlflow.server.constants import BACKEND_STORE_URI_ENV_VAR
        from mlflow.tracking._model_registry import utils

        from perijove.models.logged import LOGGED, SPOOL_VARIABLE, URI_VARIABLE
        from perijove.runner.sender import Sender
        from perijove.tracking.app import create_app

        folder = Path(mkdtemp(dir=self._home))
        uri = f"http://127.0.0.1:{port}"
        with ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            with patch.context() as setting:
                setting.setenv(BACKEND_STORE_URI_ENV_VAR, handlers._tracking_store.db_uri)
                mine = utils._registry_uri, os.environ.get("MLFLOW_REGISTRY_URI")
                app = create_app()
                # a server sets it for its whole process
                utils._registry_uri = mine[0]
                if mine[1] is None:
                    os.environ.pop("MLFLOW_REGISTRY_URI", None)
            patch.setenv(SPOOL_VARIABLE, str(folder / LOGGED))
            patch.setenv(URI_VARIABLE, uri)
            sender = Sender(folder, os.environ, print)
            stack.enter_context(self._plain(_authorised(app, sender), port))
            sender.start()
            stack.callback(sender.finish, False)
            yield uri


def _authorised(app: Any, sender: Any) -> Any:
    """Some tests speak HTTP themselves, without a token, and do not wait for what was logged."""

    async def served(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and b"authorization" not in dict(scope["headers"]):
            await asyncio.to_thread(sender._drain, True, 30)
            token = (b"authorization", f"Bearer {OWNER}".encode())
            scope = scope | {"headers": [*scope["headers"], token]}
        await app(scope, receive, send)

    return served


SERVED = pytest.StashKey[Any]()
