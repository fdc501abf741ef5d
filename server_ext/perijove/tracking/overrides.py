"""What MLflow does differently in a job's processes, because there it is known or in the way.

Applied when a job's store is made, and only then; each is a function of MLflow that is replaced
by one with the same result. Where an MLflow has no such function, nothing is replaced.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import copy
from functools import wraps
from importlib import import_module
from typing import Any

from .jobstore import SpoolingStore
from .ownrun import EXPERIMENT
from .placed import put
from .requirements import ASKED, remembered, without_a_process
from .trusted import noting, trusting

UPLOADS = 4
"""Files that are on their way at once."""
_applied = False


def apply() -> None:
    """Replace them, once."""
    global _applied
    if not _applied:
        _applied = True
        _replace("mlflow.tracking._model_registry.utils", "_get_active_spark_session", _no_search)
        _replace("mlflow.tracking.fluent", "MlflowClient", _kept_client)
        _replace("mlflow.tracking.fluent", "_get_experiment_id_from_env", _own_experiment)
        _replace("mlflow.tracking.fluent", "_get_store", _resuming)
        _replace("mlflow.utils.requirements_utils", "_capture_imported_modules", without_a_process)
        _replace("mlflow.tracking._tracking_service.client", "TrackingServiceClient", _knowing)
        _replace("mlflow.store.artifact.http_artifact_repo", "HttpArtifactRepository", _stored)
        for name in ASKED:
            _replace("mlflow.utils.requirements_utils", name, remembered)
        for name in ("is_in_cluster", "is_in_databricks_job", "is_in_databricks_notebook"):
            _replace("mlflow.utils.databricks_utils", name, _elsewhere)
        _when_imported("mlflow.models.model", _model_log)
        # importing it for nothing would take a second
        _when_imported("mlflow.sklearn", _sklearn)
        _when_imported("mlflow.system_metrics.system_metrics_monitor", _monitor)


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


def _model_log(module: Any) -> None:
    """When a model is logged MLflow asks for its run's parameters, makes the model, notes it as an
    output of the run, and asks for the names of the run's metrics."""
    from mlflow import active_run
    from mlflow.tracking._tracking_service.utils import _get_store

    with suppress(AttributeError):
        log, make = module.Model.log.__func__, module._create_logged_model

        @wraps(log)
        def logged(cls: Any, *args: Any, **named: Any) -> Any:
            store, active = _get_store(), active_run()
            run_id = named.get("run_id") or (active and active.info.run_id)
            if not isinstance(store, SpoolingStore) or not run_id or named.get("model_id"):
                return log(cls, *args, **named)
            with store.saying(run_id):
                return log(cls, *args, **named)

        @wraps(make)
        def made(*args: Any, **named: Any) -> Any:
            model, store = make(*args, **named), _get_store()
            if isinstance(store, SpoolingStore) and model.source_run_id:
                store.say_again(model.source_run_id)
            return model

        module.Model.log, module._create_logged_model = classmethod(logged), made


class _Resuming:
    """A store, as ``start_run`` has it to continue a run."""

    def __init__(self, store: SpoolingStore) -> None:
        self._store = store
        self.update_run_info = store.resume_run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def _resuming(get: Callable[..., Any]) -> Callable[..., Any]:
    """``start_run`` asks for the run it is to continue, updates it, sets tags, and asks again."""

    @wraps(get)
    def found(*args: Any, **named: Any) -> Any:
        store = get(*args, **named)
        return _Resuming(store) if isinstance(store, SpoolingStore) else store

    return found


def _monitor(module: Any) -> None:
    with suppress(AttributeError):
        found = module.SystemMetricsMonitor
        found.finish = _with_a_sample(found.finish)


def _with_a_sample(finish: Callable[[Any], None]) -> Callable[[Any], None]:
    """MLflow's monitor publishes its first sample after ten seconds; a run that ends before has
    one of its end instead of none."""

    @wraps(finish)
    def finished(monitor: Any) -> None:
        with suppress(Exception):  # MLflow's own changes: then as it does it
            if monitor._process is not None and monitor._logging_step == 0:
                monitor._shutdown_event.set()
                monitor._process.join()
                for each in monitor.monitors:
                    each.clear_metrics()  # the use of the processors since the start counts
                monitor.collect_metrics()
                monitor.publish_metrics(monitor.aggregate_metrics())
        finish(monitor)

    return finished


def _own_experiment(ask: Callable[[], Any]) -> Callable[[], Any]:
    """For every run it makes MLflow asks whether the experiment is there that the environment
    names; the job's is."""
    from mlflow.environment_variables import MLFLOW_EXPERIMENT_ID, MLFLOW_EXPERIMENT_NAME

    @wraps(ask)
    def found() -> Any:
        own, chosen = os.environ.get(EXPERIMENT), MLFLOW_EXPERIMENT_ID.get()
        return own if own and own == chosen and MLFLOW_EXPERIMENT_NAME.get() is None else ask()

    return found


def _no_search(look: Callable[[], Any]) -> Callable[[], Any]:
    """Where pyspark was not imported no Spark session is active. MLflow tries to import it for
    every client it makes, two of them for each metric, and Python looks through all folders."""

    @wraps(look)
    def found() -> Any:
        return look() if "pyspark" in sys.modules else None

    return found


def _knowing(client: Any) -> Any:
    """Before it stores a file MLflow asks where those of the run or the model are."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
    from mlflow.tracking._tracking_service import utils

    find = client._get_artifact_repo

    @wraps(find)
    def found(self: Any, of: str, *args: Any, **named: Any) -> Any:
        kept = utils._artifact_repos_cache
        location = self.store.location(of) if isinstance(self.store, SpoolingStore) else None
        if location and of not in kept:
            kept[of] = get_artifact_repository(location, tracking_uri=self.tracking_uri)
        return find(self, of, *args, **named)

    client._get_artifact_repo = found
    return client


def _stored(repository: Any) -> Any:
    """Files are put where they belong if they can be, and else sent; those of a folder, above all
    of a model's, a few at a time."""
    one, one_by_one = repository.log_artifact, repository.log_artifacts

    @wraps(one)
    def log_artifact(self: Any, local_file: Any, artifact_path: Any = None) -> None:
        if not put(self, local_file, artifact_path):
            one(self, local_file, artifact_path)

    @wraps(one_by_one)
    def log_artifacts(self: Any, local_dir: str, artifact_path: str | None = None) -> None:
        files: list[tuple[Any, ...]] = []
        listing = copy(self)
        listing.log_artifact = lambda *file: files.append(file)
        one_by_one(listing, local_dir, artifact_path)
        left = [file for file in files if not put(self, *file)]
        with ThreadPoolExecutor(UPLOADS) as pool:
            list(pool.map(lambda file: self.log_artifact(*file), left))

    repository.log_artifact, repository.log_artifacts = log_artifact, log_artifacts
    return repository


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
