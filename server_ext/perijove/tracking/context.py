"""A run-context provider: what mlflow adds to the runs that user code makes inside a job.

The job's own run exists already (``MLFLOW_RUN_ID``), and the first ``mlflow.start_run()``
continues it. Every later one nests below it, so that a job stays one run. When no run was known
at launch, because an existing MLflow server was away, the first run made here is the job's.
"""

from __future__ import annotations

import os

from mlflow.tracking.context.abstract_context import RunContextProvider


class JobRunContext(RunContextProvider):
    """Active inside jobs only."""

    _adopted = False

    def in_context(self) -> bool:
        return "PERIJOVE_JOB_ID" in os.environ

    def tags(self) -> dict[str, str]:
        run_id = os.environ.get("PERIJOVE_RUN_ID")
        if run_id:
            return {"mlflow.parentRunId": run_id}
        if JobRunContext._adopted:
            return {}
        JobRunContext._adopted = True
        return {"perijove.job_id": os.environ["PERIJOVE_JOB_ID"]}
