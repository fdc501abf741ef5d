"""What MLflow does differently in a job's processes, because there it is known or in the way.

Applied when a job's store is made, and only then; each is a function of MLflow that is replaced
by one with the same result. Where an MLflow has no such function, nothing is replaced.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

from .requirements import without_a_process
from .trusted import noting, trusting

_applied = _sklearn = False


def apply() -> None:
    """Replace them, once."""
    global _applied
    if not _applied:
        _applied = True
        _replace("mlflow.tracking._model_registry.utils", "_get_active_spark_session", _no_search)
        _replace("mlflow.tracking.fluent", "MlflowClient", _kept_client)
        _replace("mlflow.utils.requirements_utils", "_capture_imported_modules", without_a_process)
        _replace_method("mlflow.models.model", "Model", "log", _prepared)


def _replace(module: str, name: str, by: Callable[[Any], Any]) -> None:
    try:
        found = import_module(module)
        setattr(found, name, by(getattr(found, name)))
    except (ImportError, AttributeError):
        return


def _replace_method(module: str, type_: str, name: str, by: Callable[[Any], Any]) -> None:
    try:
        found = getattr(import_module(module), type_)
        setattr(found, name, classmethod(by(getattr(found, name).__func__)))
    except (ImportError, AttributeError):
        return


def _prepared(log: Callable[..., Any]) -> Callable[..., Any]:
    """``Model.log``, which all of MLflow's ``log_model`` call: it meets mlflow.sklearn only when
    that was imported, and importing it for nothing would take a second."""

    @wraps(log)
    def logged(cls: Any, *args: Any, **kwargs: Any) -> Any:
        global _sklearn
        if not _sklearn and "mlflow.sklearn" in sys.modules:
            _sklearn = True
            _replace("mlflow.sklearn", "save_model", trusting)
            _replace("mlflow.sklearn", "_save_model", noting)
        return log(cls, *args, **kwargs)

    return logged


def _no_search(look: Callable[[], Any]) -> Callable[[], Any]:
    """Where pyspark was not imported no Spark session is active. MLflow tries to import it for
    every client it makes, two of them for each metric, and Python looks through all folders."""

    @wraps(look)
    def found() -> Any:
        return look() if "pyspark" in sys.modules else None

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
