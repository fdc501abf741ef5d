"""What the runner of an attempt is told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from perijove.abc import EnvironmentCatalog, JobStore, Tracker
from perijove.models.attempts import SPEC, WORK, AttemptSpec
from perijove.models.jobs import Job
from perijove.models.logged import ARTIFACTS_VARIABLE, EXISTING_VARIABLE
from perijove.models.tokens import AttemptToken, sign
from perijove.models.workspaces import WorkspaceFolder
from perijove.services.files import outputs_folder
from perijove.services.snapshots import lay_out
from perijove.writing import replace_file


@dataclass(frozen=True)
class AttemptSpecs:
    """Makes them, of what a job and the workspace say at the time.

    poke: the socket on which a runner of this machine says that it has news.
    """

    folder: WorkspaceFolder
    store: JobStore
    tracker: Tracker
    environments: EnvironmentCatalog
    signing_key: str
    poke: str | None = None

    def token(self, job_id: str, attempt: int) -> str:
        """What the attempt shows to MLflow and to the hub's gate."""
        job = self.store.get(job_id)
        run_id = job.run_id or "" if job is not None else ""
        payload = AttemptToken(job_id=job_id, attempt=attempt, run_id=run_id)
        return sign(payload, self.signing_key)

    def write(self, job: Job) -> AttemptSpec:
        """That of the job's attempt, in the attempt's folder, with its files laid out there."""
        spec = self.spec(job, job.attempt)
        folder = Path(spec.folder)
        folder.mkdir(parents=True, exist_ok=True)
        lay_out(job.kind, job.path, Path(spec.snapshot), Path(job.root), folder / WORK)
        replace_file(folder / SPEC, spec.model_dump_json())
        return spec

    def spec(self, job: Job, attempt: int) -> AttemptSpec:
        """The attempt as the runner gets it."""
        folder = self.folder.attempt(job.id, attempt)
        outputs = outputs_folder(self.folder, job, attempt)
        snapshot = self.folder.snapshot(job.id)
        kernel = self.environments.kernel(job.environment)
        kernelspecs = (self.environments.jupyter_path, os.environ.get("JUPYTER_PATH"))
        environ = {
            "MLFLOW_TRACKING_URI": self.tracker.tracking_uri,
            "MLFLOW_TRACKING_TOKEN": self.token(job.id, attempt),
            "MLFLOW_RUN_ID": job.run_id,
            "MLFLOW_EXPERIMENT_ID": job.experiment_id,
            # MLflow takes the name where the id is not known yet
            "MLFLOW_EXPERIMENT_NAME": None if job.experiment_id else job.experiment,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            # where there is no git, MLflow would say so at length in every notebook
            "GIT_PYTHON_REFRESH": "quiet",
            "PERIJOVE_JOB_ID": job.id,
            "PERIJOVE_ATTEMPT": str(attempt),
            "PERIJOVE_RUN_ID": job.run_id,
            "PERIJOVE_EXPERIMENT_ID": job.experiment_id,
            "PERIJOVE_SOURCE": str(Path(job.root) / job.path),
            "PERIJOVE_OUTPUTS": str(outputs),
            "PERIJOVE_WORKSPACE": self.folder.name,
            "PERIJOVE_HOME": str(self.folder.home),
            ARTIFACTS_VARIABLE: str(self.folder.artifacts),
            "JUPYTER_PATH": os.pathsep.join(filter(None, kernelspecs)),
        }
        if not self.tracker.assigns_run_ids:
            environ |= {k: v for k, v in os.environ.items() if k.startswith("MLFLOW_TRACKING_")}
            environ["MLFLOW_TRACKING_URI"] = self.tracker.tracking_uri
            environ |= {EXISTING_VARIABLE: "true", ARTIFACTS_VARIABLE: None}
            if "MLFLOW_TRACKING_TOKEN" not in os.environ:
                environ["MLFLOW_TRACKING_TOKEN"] = None
        return AttemptSpec(
            job_id=job.id,
            attempt=attempt,
            kind=job.kind,
            name=job.name,
            folder=str(folder),
            source=str(snapshot / job.path),
            snapshot=str(snapshot),
            origin=job.root,
            workdir=str(outputs.parent),
            outputs=str(outputs),
            environment=kernel.kernelspec,
            python=kernel.python,
            parameters=job.parameters,
            timeout=job.timeout,
            environ={key: value for key, value in environ.items() if value is not None},
            poke=self.poke,
            resources=job.resources,
        )
