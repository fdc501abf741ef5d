"""One job with jupyter-scheduler's executor, as its server runs it: run with the peers' Python.

``python bench/scheduler_peer.py NOTEBOOK FOLDER`` prints the seconds the executor's process took,
from its start to its record of the end.
"""

from __future__ import annotations

import multiprocessing as mp
import sys
import time
from pathlib import Path
from uuid import uuid4

from jupyter_scheduler.executors import DefaultExecutionManager
from jupyter_scheduler.models import Status
from jupyter_scheduler.orm import Job, create_session, create_tables


def execute(job_id: str, folder: str, url: str, notebook: str) -> None:
    """What the scheduler does in a process of its own."""
    paths = {"input": notebook, "ipynb": f"{folder}/out.ipynb"}
    DefaultExecutionManager(
        job_id=job_id, root_dir=folder, db_url=url, staging_paths=paths
    ).process()


def main(notebook: str, folder: str) -> float:
    """Seconds; raises when the job did not complete."""
    url, job_id = f"sqlite:///{folder}/scheduler.sqlite", str(uuid4())
    create_tables(url)
    with create_session(url)() as session:
        session.add(
            Job(
                job_id=job_id,
                name="noop",
                runtime_environment_name="python3",
                input_filename=Path(notebook).name,
                output_formats=["ipynb"],
                status=Status.CREATED,
            )
        )
        session.commit()
    begun = time.perf_counter()
    process = mp.get_context("spawn").Process(target=execute, args=(job_id, folder, url, notebook))
    process.start()
    process.join()
    took = time.perf_counter() - begun
    with create_session(url)() as session:
        assert session.query(Job).filter(Job.job_id == job_id).one().status == Status.COMPLETED
    return took


if __name__ == "__main__":
    print(main(sys.argv[1], sys.argv[2]))
