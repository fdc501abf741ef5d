"""What tests ask of MLflow's stores, the REST one and that of jobs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

NOW = 1_700_000_000_000


def new_run(store: Any, name: str = "run") -> str:
    return str(store.create_run("0", "user", NOW, [], name).info.run_id)


def outcome(call: Callable[[], Any], run_id: str) -> Any:
    """What a call returns or raises, without what differs from run to run."""
    from mlflow.exceptions import MlflowException

    try:
        found = call()
    except MlflowException as error:
        return type(error).__name__, error.error_code, str(error).replace(run_id, "RUN")
    except Exception as error:
        return type(error).__name__, str(error).replace(run_id, "RUN")
    return json.loads(json.dumps(found, default=vars).replace(run_id, "RUN"))


def entities() -> Any:
    from mlflow import entities

    return entities
