"""User code does the same with the spooling store as with MLflow's own, seen from outside."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from perijove.runner.paths import lend
from tracking.conftest import Served, attempt_token

pytestmark = pytest.mark.integration

CODE = """
import json, math, os, tempfile, threading
import mlflow, numpy as np, pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

said = []
def tell(call):
    try:
        said.append(str(call()))
    except Exception as error:
        said.append(f"{type(error).__name__}: {error}"[:200])

import requests
request, asked = requests.Session.request, []
def counted(session, method, url, **named):
    asked.append(f"{method} {url.partition('/mlflow')[2]}")
    return request(session, method, url, **named)
requests.Session.request = counted
class flavor:
    def save_model(path, mlflow_model):
        os.makedirs(path)
        mlflow_model.save(os.path.join(path, "MLmodel"))

client = MlflowClient()
name = os.environ["EXPERIMENT"]
experiment = mlflow.set_experiment(name).experiment_id
said.append(type(client._tracking_client.store).__name__)
with mlflow.start_run(run_name="outer", tags={"a": "b"}, description="# text") as outer:
    mlflow.log_params({"lr": 0.1, "none": None, "list": [1, 2]})
    mlflow.log_metrics({"loss": np.float32(0.25), "acc": np.array(0.5)}, step=np.int64(3))
    for i in range(20):
        mlflow.log_metric("curve", math.sin(i), step=i, timestamp=1000 + i)
    waiting = [mlflow.log_metric("later", i, step=i, timestamp=5, synchronous=False)
               for i in range(20)]
    for operation in waiting:
        operation.wait()
    tell(lambda: mlflow.log_metric("curve", "no number"))
    tell(lambda: mlflow.log_metric("#", 1))
    tell(lambda: mlflow.log_param("lr", 0.2))
    tell(lambda: mlflow.log_params({"lr": 0.1, "lr2": 1, "x" * 300: 1}))
    tell(lambda: mlflow.set_tag("t" * 300, "v"))
    mlflow.set_tags({"kind": "test", "mlflow.note.content": "# later"})
    mlflow.delete_tag("kind")
    mlflow.set_tag("kind", "again")
    data = mlflow.data.from_pandas(pd.DataFrame({"x": [1, 2]}), name="rows")
    mlflow.log_input(data, context="training")
    mlflow.log_metric("on_data", 1.5, dataset=data)
    mlflow.log_metric("on_data", 2.5, dataset=data, step=1)
    model = mlflow.create_external_model(name="outside")
    mlflow.log_metric("of_model", 3.5, model_id=model.model_id)
    mlflow.log_metric("of_model", 4.5, model_id=model.model_id, step=1)
    tell(lambda: mlflow.log_metric("of_model", 1, model_id="m-none"))
    said.append([(m.key, m.value) for m in mlflow.get_logged_model(model.model_id).metrics])
    mlflow.log_metric("before", 5.5)
    asked.append("log")
    logged = mlflow.models.Model.log(None, flavor, name="made").model_id
    asked.append("logged")
    said.append([(m.key, m.value) for m in mlflow.get_logged_model(logged).metrics])
    mlflow.log_dict({"a": 1}, "folder/a.json")
    mlflow.log_text("text", "b.txt")
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(f"{folder}/deep/er")
        for number in range(9):
            open(f"{folder}/deep/{'er/' * (number % 2)}{number}", "w").write(str(number))
        mlflow.log_artifacts(folder, "many")
        open(f"{folder}/deep/a#b", "w").close()
        tell(lambda: mlflow.log_artifacts(folder, "none"))
    said.append([sorted(f.path for f in client.list_artifacts(outer.info.run_id, place))
                 for place in ("", "many/deep", "many/deep/er")])
    with mlflow.start_run(run_name="inner", nested=True) as inner:
        mlflow.log_metric("deep", 1.0)
        thread = threading.Thread(target=client.log_param, args=(inner.info.run_id, "p", 1))
        thread.start()
        thread.join()
    tell(lambda: mlflow.start_run())
    client.log_batch(
        inner.info.run_id,
        [Metric("many", float(i), i, i) for i in range(2500)],
        [Param(f"p{i}", str(i)) for i in range(150)],
        [RunTag(f"t{i}", str(i)) for i in range(150)],
    )
    found = client.search_runs([experiment], "metrics.deep = 1 and params.p149 = '149'")
    said.append([run.info.run_name for run in found])
    said.append(len(client.get_metric_history(inner.info.run_id, "many")))
    client.update_run(inner.info.run_id, status="FAILED", name="renamed")
    frame = mlflow.search_runs([experiment], order_by=["metrics.loss DESC"])
    said.append(frame.status.tolist())
    said.append(mlflow.get_run(outer.info.run_id).data.params)
try:
    with mlflow.start_run(run_name="breaks"):
        mlflow.log_metric("before", 1)
        raise ValueError("broken")
except ValueError:
    pass
with mlflow.start_run(run_id=outer.info.run_id, tags={"kind": "continued"}) as continued:
    said.append([continued.info.status, continued.info.run_name, continued.data.metrics,
        continued.data.params, continued.data.tags["kind"], continued.inputs.to_dictionary()])
    mlflow.log_metric("after", 1)
    said.append(client.get_run(continued.info.run_id).data.metrics)
gone = client.create_run(experiment, run_name="gone").info.run_id
client.log_metric(gone, "m", 1)
client.delete_run(gone)
tell(lambda: client.log_metric(gone, "m", 2))
client.restore_run(gone)
client.log_metric(gone, "m", 3, step=5)
client.set_terminated(gone, "KILLED", 77)
for run in sorted(client.search_runs([experiment]), key=lambda run: run.info.run_name):
    said.append([run.info.run_name, run.info.status, run.data.params, run.inputs.to_dictionary(),
        {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.source")}])
    said.append({key: [(m.value, m.step) for m in client.get_metric_history(run.info.run_id, key)]
        for key in run.data.metrics})
said.append(mlflow.get_tracking_uri() == mlflow.get_registry_uri() == os.environ["HERE"])
said.append(asked)
print("SAID" + json.dumps(said, default=str))
"""


def told(served: Served, name: str, **environ: str) -> list[Any]:
    done = served.python(
        CODE,
        EXPERIMENT=name,
        HERE=served.uri,
        MLFLOW_TRACKING_TOKEN=attempt_token(served.folder),
        **environ,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    text = done.stdout.partition("SAID")[2]
    # ids and moments
    text = re.sub(r"[0-9a-f]{32}", "ID", text)
    found: list[Any] = json.loads(re.sub(r"1[0-9]{12}", "0", text))
    return found


def test_user_code_does_the_same(mlflow: Served, tmp_path: Path) -> None:
    theirs = told(mlflow, "plain")
    ours = told(
        mlflow,
        "spooled",
        PERIJOVE_SPOOL=str(tmp_path / "mlflow.spool"),
        PERIJOVE_SPOOL_URI=mlflow.uri,
        PERIJOVE_ARTIFACTS=str(mlflow.folder.artifacts),
    )
    asked, asked_by_ours = theirs.pop(), ours.pop()
    # all other files are put where they belong
    assert any(question.endswith("/b.txt") for question in asked)
    stored = [question for question in asked_by_ours if question.startswith("PUT")]
    assert [question.rpartition("/")[2] for question in stored] == ["a#b"]
    model = asked_by_ours[asked_by_ours.index("log") + 1 : asked_by_ours.index("logged")]
    assert [question for question in model if "history" not in question] == [
        "POST /logged-models",
        "POST /runs/log-batch",
        "POST /runs/outputs",
        "PATCH /logged-models/m-ID",
    ]
    assert theirs.pop(0) == "RestStore"
    assert ours.pop(0) == "SpoolingStore"
    assert (tmp_path / "mlflow.spool").stat().st_size > 0
    for number, (said, said_by_ours) in enumerate(zip(theirs, ours, strict=True)):
        assert said_by_ours == said, number


SHORT = """
import mlflow, time
mlflow.enable_system_metrics_logging()
with mlflow.start_run() as run:
    time.sleep(0.1)
with mlflow.start_run(run.info.run_id):
    pass
client = mlflow.MlflowClient()
[(name, points)] = [(name, client.get_metric_history(run.info.run_id, name)) for name in
    client.get_run(run.info.run_id).data.metrics if "cpu_utilization" in name]
print(name, [point.step for point in points])
"""


def test_a_run_of_a_moment_has_system_metrics(mlflow: Served, tmp_path: Path) -> None:
    done = mlflow.python(
        SHORT,
        MLFLOW_TRACKING_TOKEN=attempt_token(mlflow.folder),
        PERIJOVE_SPOOL=str(tmp_path / "mlflow.spool"),
        PERIJOVE_SPOOL_URI=mlflow.uri,
    )
    assert done.stdout.strip() == "system/cpu_utilization_percentage [0]", done.stderr[-3000:]


LENT = """
import os, sys
sys.modules["perijove"] = None  # it is not installed
import mlflow.version
mlflow.version.VERSION = os.environ.get("VERSION", mlflow.version.VERSION)
from mlflow import MlflowClient

assert "perijove_job.tracking.context" in sys.modules
client = MlflowClient()
run_id = client.create_run("0", tags={"a": "b"}).info.run_id
client.log_metric(run_id, "loss", 0.5)
print(client.get_run(run_id).data.metrics, type(client._tracking_client.store).__name__)
"""


@pytest.mark.parametrize(("version", "store"), [("", "SpoolingStore"), ("2.22.0", "RestStore")])
def test_a_python_that_has_nothing_of_ours_is_lent_it(
    mlflow: Served, tmp_path: Path, version: str, store: str
) -> None:
    environ: dict[str, str] = {"VERSION": version} if version else {}
    lend(environ)
    spool = tmp_path / "mlflow.spool"
    done = mlflow.python(
        LENT,
        MLFLOW_TRACKING_TOKEN=attempt_token(mlflow.folder),
        PERIJOVE_SPOOL=str(spool),
        PERIJOVE_SPOOL_URI=mlflow.uri,
        **environ,
    )
    assert done.stdout.split("\n")[-2:] == [f"{{'loss': 0.5}} {store}", ""], done.stderr[-3000:]
    assert spool.exists() == (not version)
