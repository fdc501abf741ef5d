"""A run-context provider: what mlflow adds to the runs that user code makes inside a job.

The job's own run exists already (``MLFLOW_RUN_ID``), and the first ``mlflow.start_run()``
continues it. Every later one nests below it, so that a job stays one run; mlflow forgets
``MLFLOW_RUN_ID`` after its first use, so ``PERIJOVE_RUN_ID`` has it too. On another server than
the job's, runs are the user's own.

When no run was known at launch, because an existing MLflow server was away, user code may make a
run before the hub does. Whoever comes first makes the job's run: if there is none yet, the one that
is about to be made gets the job's id.
"""

from __future__ import annotations

import os
from contextlib import suppress

from mlflow.tracking.context.abstract_context import RunContextProvider

from . import ownrun

with suppress(ImportError, AttributeError):  # an environment's MLflow may be an older one
    ownrun.apply()


class JobRunContext(RunContextProvider):
    """Active inside jobs only."""

    def in_context(self) -> bool:
        return "PERIJOVE_JOB_ID" in os.environ

    def tags(self) -> dict[str, str]:
        if not ownrun.is_at_home():
            return _source()
        run_id = ownrun.known()
        if run_id is None:
            os.environ[ownrun.RUN] = ""  # later runs nest below this one
            # the hub keeps this one if it made a run at the same moment: see RestTracker
            job_id = os.environ["PERIJOVE_JOB_ID"]
            return _source() | {"perijove.job_id": job_id, "perijove.made_by": "job"}
        return _source() | {"mlflow.parentRunId": run_id}


def _source() -> dict[str, str]:
    """The job's notebook or script; MLflow would name the program that runs it."""
    source = os.environ.get("PERIJOVE_SOURCE")
    if source is None:
        return {}
    kind = "NOTEBOOK" if source.endswith(".ipynb") else "LOCAL"
    return {"mlflow.source.name": source, "mlflow.source.type": kind}
