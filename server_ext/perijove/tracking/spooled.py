"""The ``mlflow.tracking_store`` plug-in: in a job, logging to MLflow costs microseconds.

It stands for ``http`` and ``https``, so that MLFLOW_TRACKING_URI stays the server's own address
and artifacts, models and traces find it there, too; outside of jobs, and for other servers, it
is MLflow's `RestStore` and nothing else. In a job, what is logged is appended to the attempt's
spool (see `perijove.models.logged`), and another process sends it. Every call that is not a log
call sends what is there first, so that a process reads what it wrote.

Only what the server is certain to take is spooled: a run that is known, names and values that
MLflow's own validators let through as they are, parameters that are new or unchanged. All else
goes to the server at once, so results and exceptions are the server's. What a process cannot
know is found out later, when it is sent, and is said in the job's log: a parameter that another
process logged otherwise at the same time, a run that another process has deleted.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from perijove.models.logged import SPOOL_VARIABLE, URI_VARIABLE


def job_store(store_uri: str, artifact_uri: str | None = None) -> Any:
    """The store for an address: the spooling one in a job, MLflow's own everywhere else."""
    # mlflow is still being imported when it imports this module
    from mlflow.store.tracking.rest_store import RestStore
    from mlflow.utils.credentials import get_default_host_creds

    credentials = partial(get_default_host_creds, store_uri)
    path = os.environ.get(SPOOL_VARIABLE)
    if not path or store_uri.rstrip("/") != os.environ.get(URI_VARIABLE, "").rstrip("/"):
        return RestStore(credentials)
    from perijove.tracking import overrides
    from perijove.tracking.jobstore import SpoolingStore

    overrides.apply()

    return SpoolingStore(credentials, path)
