"""The ``mlflow.app`` plug-in ``perijove``: MLflow's own application behind our guard.

Its settings come from the environment: PERIJOVE_SECRETS (the workspace's secrets.json),
PERIJOVE_JOBS (its jobs folder), PERIJOVE_POKE (the hub's datagram socket).
"""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

from mlflow.server import handlers
from mlflow.server.constants import BACKEND_STORE_URI_ENV_VAR
from mlflow.server.fastapi_app import create_fastapi_app
from starlette.types import ASGIApp

from perijove.tracking import studio
from perijove.tracking.announce import Announcer
from perijove.tracking.changes import Changes
from perijove.tracking.database import prepare
from perijove.tracking.guard import Guard
from perijove.tracking.once import JobModelStore
from perijove.tracking.routes import add_routes
from perijove.tracking.store import JobTrackingStore


def create_app(*_: Any, **__: Any) -> ASGIApp:
    """The guarded application; its tracking store honours run ids chosen by the hub."""
    announcer = Announcer(os.environ.get("PERIJOVE_POKE"))
    uri = os.environ.get(BACKEND_STORE_URI_ENV_VAR, "")
    if uri.startswith("sqlite:///"):
        prepare(Path(uri.removeprefix("sqlite:///")))
    use_stores(announcer)
    store = handlers._get_tracking_store()
    changes = Changes(os.environ.get("PERIJOVE_POKE"))
    changes.watch_tracking(store)
    changes.watch_registry(handlers._get_model_registry_store())
    app = create_fastapi_app()
    studio.add_routes(app, store, changes.tell)
    add_routes(app)
    gc.freeze()  # what is loaded stays: no use in looking for garbage in it
    return Guard(
        app,
        Path(os.environ["PERIJOVE_SECRETS"]),
        Path(os.environ["PERIJOVE_JOBS"]),
        store.has_run,
    )


def use_stores(announcer: Announcer) -> None:
    """From now on MLflow's server takes our stores."""
    # a scheme of our own would need a URI that no other MLflow command understands
    handlers._tracking_store_registry.register(
        "sqlite",
        lambda store_uri, artifact_uri: JobTrackingStore(store_uri, artifact_uri, announcer),
    )
    handlers._model_registry_store_registry.register(
        "sqlite", lambda store_uri: JobModelStore(store_uri)
    )
