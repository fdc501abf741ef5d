"""Plain mlflow code in a job: one job is one run, whatever the code does."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from perijove.tracking.rest import RestTracker
from tracking.conftest import OWNER, Served, attempt_token
from tracking.test_rest import run_data, runs_of

pytestmark = pytest.mark.integration

CODE = """
import mlflow
with mlflow.start_run() as first:
    mlflow.log_metric("a", 1.0)
    with mlflow.start_run(nested=True) as child:
        mlflow.log_metric("b", 1.0)
with mlflow.start_run(run_name="again") as second:
    mlflow.log_metric("c", 1.0)
print(first.info.run_id, child.info.run_id, second.info.run_id)
"""


def run_job(mlflow: Served, code: str, job_id: str, run_id: str | None, **more: str) -> list[str]:
    environ = {
        "MLFLOW_TRACKING_TOKEN": attempt_token(mlflow.folder, run_id or "", job_id),
        "PERIJOVE_JOB_ID": job_id,
        "PERIJOVE_ATTEMPT": "1",
    }
    if run_id is not None:
        environ |= {"MLFLOW_RUN_ID": run_id, "PERIJOVE_RUN_ID": run_id}
    done = mlflow.python(code, **environ, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def parent(mlflow: Served, run_id: str) -> Any:
    return run_data(mlflow, run_id, "tags").get("mlflow.parentRunId")


def test_a_job_is_one_run(mlflow: Served) -> None:
    job_id = uuid4().hex
    run_id = mlflow.make_run(job_id)
    first, child, second = run_job(mlflow, CODE, job_id, run_id)
    assert first == run_id
    assert parent(mlflow, first) is None
    assert parent(mlflow, child) == run_id
    assert parent(mlflow, second) == run_id
    assert [run["info"]["run_id"] for run in runs_of(mlflow, job_id)] == [run_id]
    assert run_data(mlflow, run_id, "metrics") == {"a": 1.0}


def test_logging_without_start_run(mlflow: Served) -> None:
    job_id = uuid4().hex
    run_id = mlflow.make_run(job_id)
    run_job(mlflow, "import mlflow; mlflow.log_metric('a', 1.0)", job_id, run_id)
    assert run_data(mlflow, run_id, "metrics") == {"a": 1.0}


def test_the_first_run_is_the_jobs_when_none_was_known(mlflow: Served) -> None:
    job_id = uuid4().hex
    first, child, second = run_job(mlflow, CODE, job_id, None)
    assert [run["info"]["run_id"] for run in runs_of(mlflow, job_id)] == [first]
    assert parent(mlflow, first) is None
    assert parent(mlflow, child) == parent(mlflow, second) == first


def test_a_run_that_is_not_there_is_looked_for_once(mlflow: Served) -> None:
    code = """
import mlflow
from perijove.tracking import ownrun
looks = []
look = ownrun.look_for_it
ownrun.look_for_it = lambda: looks.append(1) or look()
mlflow.start_run()
print(len(looks))
"""
    assert run_job(mlflow, code, uuid4().hex, None) == ["1"]


@pytest.mark.asyncio
async def test_the_hub_adopts_it(mlflow: Served) -> None:
    job_id = uuid4().hex
    code = "import mlflow; mlflow.set_experiment('theirs'); mlflow.start_run().info.run_id"
    run_job(mlflow, code, job_id, None)
    tracker = RestTracker(mlflow.uri, token=OWNER)
    made = await tracker.ensure_run(
        job_id, "0", run_id=None, name="n", start_time_ms=1, tags={"perijove.compute": "local"}
    )
    await tracker.close()
    assert [run["info"]["run_id"] for run in runs_of(mlflow, job_id)] == [made]


def test_user_code_continues_the_run_that_the_hub_made_since_the_launch(mlflow: Served) -> None:
    job_id = uuid4().hex
    run_id = mlflow.make_run(job_id)
    first, child, second = run_job(mlflow, CODE, job_id, None)
    assert first == run_id
    assert parent(mlflow, child) == parent(mlflow, second) == run_id
    assert [run["info"]["run_id"] for run in runs_of(mlflow, job_id)] == [run_id]


def test_another_experiment_has_runs_below_the_jobs(mlflow: Served) -> None:
    job_id = uuid4().hex
    run_id = mlflow.make_run(job_id)
    code = """
import mlflow
for name in ("another", "Default"):
    mlflow.set_experiment(name)
    with mlflow.start_run() as run:
        print(run.info.run_id)
"""
    other, first = run_job(mlflow, code, job_id, run_id, PERIJOVE_EXPERIMENT_ID="0")
    assert parent(mlflow, other) == first == run_id


def test_another_server_has_runs_of_its_own(mlflow: Served, tmp_path: Path) -> None:
    code = f"""
import mlflow
mlflow.set_tracking_uri("sqlite:///{tmp_path}/mlflow.db")
mlflow.log_metric("a", 1.0)
print(mlflow.active_run().info.experiment_id, "mlflow.parentRunId" in mlflow.active_run().data.tags)
"""
    job_id = uuid4().hex
    home = {
        "MLFLOW_EXPERIMENT_ID": "7", "PERIJOVE_EXPERIMENT_ID": "7",
        "PERIJOVE_SPOOL": str(tmp_path / "spool"), "PERIJOVE_SPOOL_URI": mlflow.uri,
    }  # fmt: skip
    assert run_job(mlflow, code, job_id, mlflow.make_run(job_id), **home) == ["0", "False"]


def test_a_model_comes_from_the_job_without_start_run(mlflow: Served, tmp_path: Path) -> None:
    """A forest, with MLflow's first call: all that makes jobs different is there already."""
    code = """
import mlflow
from sklearn.ensemble import RandomForestClassifier
model = RandomForestClassifier(2, bootstrap=False).fit([[1], [2]], [0, 1])
info = mlflow.sklearn.log_model(model, name="m")
run = mlflow.get_run(info.run_id)
print(info.run_id, mlflow.get_logged_model(info.model_id).source_run_id)
print([output.model_id for output in run.outputs.model_outputs] == [info.model_id])
class Own(RandomForestClassifier):
    pass
own = mlflow.sklearn.log_model(Own(2, bootstrap=False).fit([[1], [2]], [0, 1]), name="own")
try:
    mlflow.sklearn.log_model(Own(2), name="own", serialization_format="skops")
except mlflow.MlflowException as error:
    print("untrusted" in str(error))
for model in (info, own):
    print(model.flavors["sklearn"]["serialization_format"], model.model_uri)
print(mlflow.active_run())
"""
    job_id = uuid4().hex
    run_id = mlflow.make_run(job_id)
    spool = {"PERIJOVE_SPOOL": str(tmp_path / "spool"), "PERIJOVE_SPOOL_URI": mlflow.uri}
    said = run_job(mlflow, code, job_id, run_id, **spool)
    first, own = said.pop(5), said.pop(6)
    assert said == [run_id, run_id, "True", "True", "skops", "cloudpickle", "None"]
    # an ordinary process has the class with the model
    code = f"""
import mlflow
for uri in ("{first}", "{own}"):
    print(mlflow.pyfunc.load_model(uri).predict([[2]]))
"""
    assert mlflow.python(code, MLFLOW_TRACKING_TOKEN=OWNER).stdout.split() == ["[1]", "[1]"]


def test_outside_of_jobs_nothing_changes(mlflow: Served) -> None:
    done = mlflow.python(
        "import mlflow; print(mlflow.start_run().info.run_id)", MLFLOW_TRACKING_TOKEN=OWNER
    )
    tags = run_data(mlflow, done.stdout.strip(), "tags")
    assert not [key for key in tags if key.startswith("perijove") or key == "mlflow.parentRunId"]
