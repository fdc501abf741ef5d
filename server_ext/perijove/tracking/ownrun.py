"""The job's run, in the processes of a job: what user code continues, and what it does not.

MLflow's `start_run` continues the run in ``MLFLOW_RUN_ID`` in any case, and raises where that
cannot be: after `set_experiment` with another experiment, after `set_tracking_uri` with another
server. Unchanged user code does both. So there the variable is as if it were not set: code then
makes a run of its own, in the experiment it chose (below the job's: see
`perijove.tracking.context`), or on the server it chose. And `log_model`, which starts no run,
notes the job's as the one a model comes from.

Where an existing MLflow server was away at launch, no run was known: it is looked for by the job's
id, since the hub may have made it meanwhile.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from ..models.logged import URI_VARIABLE
from . import versions

RUN, EXPERIMENT = "PERIJOVE_RUN_ID", "PERIJOVE_EXPERIMENT_ID"
"""What MLflow's own variables say at first; user code changes those."""
EXPERIMENTS = 1000
"""Experiments that are searched for the job's run, those used last first."""

_asked = threading.local()


def apply() -> None:
    """From now on, and for what is forked from here. MLflow is still being imported."""
    if not versions.is_known():
        return
    from mlflow import environment_variables as variables
    from mlflow.utils.import_hooks import register_post_import_hook

    run, experiment = variables.MLFLOW_RUN_ID, variables.MLFLOW_EXPERIMENT_ID
    run.get, experiment.get = _run(run), _experiment(experiment.get)
    run.unset = _unless_hidden(run)
    register_post_import_hook(_models, "mlflow.models.model")
    # MLflow keeps one hook of each name
    register_post_import_hook(_formats, "mlflow.sklearn")


def is_at_home() -> bool:
    """Does code of a job log to the job's server?"""
    from mlflow import get_tracking_uri

    uri = os.environ.get(URI_VARIABLE)
    return uri is None or str(get_tracking_uri()).rstrip("/") == uri.rstrip("/")


def look_for_it() -> str | None:
    """The id of the job's run if it was made since the launch; then it is known from now on."""
    # mlflow is still being imported when it imports this module
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    client = MlflowClient()
    experiments = client.search_experiments(
        max_results=EXPERIMENTS, order_by=["last_update_time DESC"]
    )
    found = client.search_runs(
        [experiment.experiment_id for experiment in experiments],
        f"tags.`perijove.job_id` = '{os.environ['PERIJOVE_JOB_ID']}'",
        run_view_type=ViewType.ACTIVE_ONLY,
        max_results=1,
    )
    if not found:
        return None
    os.environ |= {RUN: found[0].info.run_id, EXPERIMENT: found[0].info.experiment_id}
    return os.environ[RUN]


def known() -> str | None:
    """The id of the job's run, which is looked for, but not again by the `start_run` that has just
    asked for it."""
    missed, _asked.in_vain = getattr(_asked, "in_vain", False), False
    return os.environ.get(RUN) or (None if missed else look_for_it())


def _run(variable: Any) -> Callable[[], Any]:
    get: Callable[[], Any] = variable.get

    def found() -> Any:
        from mlflow.tracking import fluent

        unknown = "PERIJOVE_JOB_ID" in os.environ and RUN not in os.environ
        if unknown and is_at_home():
            late = look_for_it()
            _asked.in_vain = late is None
            if late is not None:
                variable.set(late)
        value = get()
        if value is None or value != os.environ.get(RUN):
            return value
        chosen, own = fluent._active_experiment_id, os.environ.get(EXPERIMENT)
        return value if is_at_home() and (not chosen or not own or chosen == own) else None

    return found


def _unless_hidden(variable: Any) -> Callable[[], None]:
    """At the end of a run MLflow forgets the variable, though another run has ended."""
    forget: Callable[[], None] = variable.unset

    def unset() -> None:
        if variable.get() is not None:
            forget()

    return unset


def _experiment(get: Callable[[], Any]) -> Callable[[], Any]:
    def found() -> Any:
        value = get()
        return value if value != os.environ.get(EXPERIMENT) or is_at_home() else None

    return found


def _models(module: Any) -> None:
    """``Model.log``, which all of MLflow's ``log_model`` call."""
    log = module.Model.log.__func__

    @wraps(log)
    def logged(cls: Any, *args: Any, **kwargs: Any) -> Any:
        from mlflow import active_run

        own = os.environ.get(RUN)
        if own and kwargs.get("run_id") is None and active_run() is None and is_at_home():
            kwargs["run_id"] = own
        return log(cls, *args, **kwargs)

    module.Model.log = classmethod(logged)


def _formats(module: Any) -> None:
    from .trusted import open_to_formats

    module.log_model = open_to_formats(module.log_model)
