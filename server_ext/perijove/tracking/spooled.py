"""The ``mlflow.tracking_store`` plug-in: in a job, logging to MLflow costs microseconds.

It stands for ``http`` and ``https``, so that MLFLOW_TRACKING_URI stays the server's own address
and artifacts, models and traces find it there, too; outside of jobs, and for other servers, it
is MLflow's `RestStore`, whose requests carry keys (see `perijove.tracking.repeated`). In a job,
what is logged is appended to the attempt's spool (see `perijove.models.logged`), and another
process sends it. Every call that is not a log call sends what is there first, so that a process
reads what it wrote.

Only what the server is certain to take is spooled: a run that is known, names and values that
MLflow's own validators let through as they are, parameters that are new or unchanged. All else
goes to the server at once, so results and exceptions are the server's. What a process cannot
know is found out later, when it is sent, and is said in the job's log: a parameter that another
process logged otherwise at the same time, a run that another process has deleted.

The Python of an environment, which has nothing of ours, knows this module and those it needs by
another name: see `perijove.runner.paths`. That is why they import each other relatively.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from ..models.logged import EXISTING_VARIABLE, SPOOL_VARIABLE, URI_VARIABLE
from . import versions


def job_store(store_uri: str, artifact_uri: str | None = None) -> Any:
    """The store for an address: the spooling one in a job, MLflow's own everywhere else."""
    # mlflow is still being imported when it imports this module
    from mlflow.store.tracking.rest_store import RestStore
    from mlflow.utils.credentials import get_default_host_creds

    credentials = partial(get_default_host_creds, store_uri)
    if not versions.is_known():
        return RestStore(credentials)
    from . import repeated

    repeated.apply(store_uri)
    path = os.environ.get(SPOOL_VARIABLE)
    if not path or not _is(store_uri, URI_VARIABLE):
        careful = EXISTING_VARIABLE in os.environ and _is(store_uri, "MLFLOW_TRACKING_URI")
        return (repeated.CarefulStore if careful else RestStore)(credentials)
    from . import overrides
    from .jobstore import SpoolingStore

    overrides.apply()

    return SpoolingStore(credentials, path)


def _is(uri: str, variable: str) -> bool:
    return uri.rstrip("/") == os.environ.get(variable, "").rstrip("/")
