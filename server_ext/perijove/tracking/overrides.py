"""What MLflow does differently in a job's processes, because there it is known or in the way.

Applied when a job's store is made, and only then; each is a function of MLflow that is replaced
by one with the same result. Where an MLflow has no such function, nothing is replaced.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from importlib import import_module
from typing import Any

from .requirements import ASKED, remembered, without_a_process
from .trusted import noting, trusting

_applied = False


def apply() -> None:
    """Replace them, once."""
    global _applied
    if not _applied:
        _applied = True
        _replace("mlflow.tracking._model_registry.utils", "_get_active_spark_session", _no_search)
        _replace("mlflow.tracking.fluent", "MlflowClient", _kept_client)
        _replace("mlflow.utils.requirements_utils", "_capture_imported_modules", without_a_process)
        for name in ASKED:
            _replace("mlflow.utils.requirements_utils", name, remembered)
        for name in ("is_in_cluster", "is_in_databricks_job", "is_in_databricks_notebook"):
            _replace("mlflow.utils.databricks_utils", name, _elsewhere)
        # importing it for nothing would take a second
        _when_imported("mlflow.sklearn", _sklearn)


def _replace(module: str, name: str, by: Callable[[Any], Any]) -> None:
    try:
        found = import_module(module)
        setattr(found, name, by(getattr(found, name)))
    except (ImportError, AttributeError):
        return


def _when_imported(module: str, change: Callable[[Any], None]) -> None:
    with suppress(ImportError):
        from mlflow.utils.import_hooks import register_post_import_hook

        register_post_import_hook(change, module)


def _sklearn(module: Any) -> None:
    with suppress(AttributeError):
        module._save_model = noting(module._save_model)
        module.save_model = trusting(module.save_model)


def _no_search(look: Callable[[], Any]) -> Callable[[], Any]:
    """Where pyspark was not imported no Spark session is active. MLflow tries to import it for
    every client it makes, two of them for each metric, and Python looks through all folders."""

    @wraps(look)
    def found() -> Any:
        return look() if "pyspark" in sys.modules else None

    return found


def _elsewhere(look: Callable[[], Any]) -> Callable[[], Any]:
    """MLflow tries to import Databricks' modules for each request."""

    @wraps(look)
    def found() -> Any:
        theirs = "DATABRICKS_RUNTIME_VERSION" in os.environ
        return look() if theirs or {"dbruntime", "pyspark"} & sys.modules.keys() else False

    return found


def _kept_client(client: type) -> type:
    """``mlflow.log_metric`` and its like make new clients for every call; the same one does, as
    long as what it is made from is the same. It is a class of the same name, with the same
    methods: code patches them, and inherits."""
    from mlflow.tracking._model_registry import utils as registry
    from mlflow.tracking._tracking_service import utils as tracking

    environ = os.environ.get
    kept: dict[tuple[Any, ...], Any] = {}

    class Keeping(type(client)):  # type: ignore[misc]
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            if args or kwargs or cls is not same or "pyspark" in sys.modules:
                return super().__call__(*args, **kwargs)
            key = (
                tracking._tracking_uri,
                registry._registry_uri,
                environ("MLFLOW_TRACKING_URI"),
                environ("MLFLOW_REGISTRY_URI"),
                environ("MLFLOW_WORKSPACE_STORE_URI"),
            )
            if key not in kept:
                kept.clear()
                kept[key] = super().__call__()
            return kept[key]

    about = {"__module__": client.__module__, "__qualname__": client.__qualname__}
    same = Keeping(client.__name__, (client,), about | {"__doc__": client.__doc__})
    return same
