"""What a job logs to MLflow is there in the end, whatever happens on the way."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from conftest import MakeNotebook, at_home, perijove, until
from perijove.client.jobs import Job
from perijove.client.workspace import Workspace
from perijove.models.workspaces import WorkspaceFolder

pytestmark = pytest.mark.integration
POINTS = 1500
LOG = f"""
for i in range({POINTS}):
    mlflow.log_metric("loss", i / 3, step=i)
mlflow.log_param("depth", 3)
mlflow.set_tag("mood", "good")
"""


class Place:
    """A workspace, its MLflow, and a notebook that waits for the test."""

    def __init__(self, home: Path) -> None:
        self.home = home
        answer = json.loads(perijove("up", "--json", home=home).stdout)
        self.ws = Workspace()
        self.folder = WorkspaceFolder(home, "default")
        self.mlflow = httpx.Client(
            base_url=answer["tracking_uri"],
            headers={"Authorization": f"Bearer {answer['token']}"},
            timeout=60,
        )

    def get(self, path: str, **query: Any) -> Any:
        answer = self.mlflow.get(f"/api/2.0/mlflow/{path}", params=query)
        answer.raise_for_status()
        return answer.json()

    def steps(self, job: Job, key: str = "loss") -> list[int]:
        query = {"run_id": job.run_id, "metric_key": key, "max_results": 25_000}
        found = self.get("metrics/get-history", **query).get("metrics", [])
        return sorted(int(item.get("step", 0)) for item in found)

    def words(self, job: Job) -> tuple[dict[str, str], dict[str, str]]:
        data = self.get("runs/get", run_id=job.run_id)["run"]["data"]
        params, tags = (
            {item["key"]: item["value"] for item in data.get(kind, [])}
            for kind in ("params", "tags")
        )
        return params, tags

    def server(self) -> int:
        record = json.loads((self.folder.mlflow / "server.json").read_text())
        return int(record["process"]["pid"])

    def recorded(self, job: Job) -> None:
        until(lambda: self.ws.jobs.get(job.id).data.recorded)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("logging")
    with at_home(home):
        yield Place(home)


@pytest.fixture
def begun(tmp_path: Path) -> Callable[[], None]:
    """Wait until the notebook has made its file."""
    return lambda: until((tmp_path / "begun").exists)


@pytest.fixture
def go(tmp_path: Path) -> Callable[[], None]:
    return lambda: (tmp_path / "go").touch()


def waits(folder: Path) -> str:
    return (
        "import mlflow, time, os, signal, pathlib\n"
        "mlflow.start_run()\nmlflow.log_metric('first', 1)\n"
        f"here = pathlib.Path({str(folder)!r})\n(here / 'begun').touch()\n"
        "while not (here / 'go').exists():\n    time.sleep(0.05)"
    )


def test_a_killed_kernel_loses_no_point(place: Place, notebook: MakeNotebook) -> None:
    path = notebook(
        "import mlflow, os, signal",
        LOG,
        "mlflow.start_run(nested=True)\n"
        "mlflow.log_metric('child', 1)\nos.kill(os.getpid(), signal.SIGKILL)",
    )
    job = place.ws.jobs.submit(path).wait(120)
    assert (job.state, job.data.reason) == ("failed", "kernel_died")
    # before the hub has recorded it: its runner has sent everything
    assert place.steps(job) == list(range(POINTS))
    params, tags = place.words(job)
    assert (params["depth"], tags["mood"]) == ("3", "good")
    query = f"tags.`mlflow.parentRunId` = '{job.run_id}'"
    body = {"experiment_ids": [job.data.experiment_id], "filter": query}
    [child] = place.mlflow.post("/api/2.0/mlflow/runs/search", json=body).json()["runs"]
    assert child["data"]["metrics"][0]["key"] == "child"
    tags = {tag["key"]: tag["value"] for tag in child["data"]["tags"]}
    assert (tags["mlflow.source.name"], tags["mlflow.source.type"]) == (str(path), "NOTEBOOK")


def test_mlflow_may_be_away(
    place: Place,
    notebook: MakeNotebook,
    tmp_path: Path,
    begun: Callable[[], None],
    go: Callable[[], None],
) -> None:
    job = place.ws.jobs.submit(notebook(waits(tmp_path), LOG, "mlflow.end_run()"))
    begun()
    server = place.server()
    os.kill(server, signal.SIGSTOP)
    try:
        assert place.ws.status().tracking_state != "running"
        go()
        assert job._wait(120, "terminal")
        assert job.state == "succeeded"
        spool = place.folder.attempt(job.id, 1) / "mlflow.spool"
        assert spool.stat().st_size
    finally:
        os.kill(server, signal.SIGCONT)
    place.recorded(job)
    assert place.steps(job) == list(range(POINTS))
    assert place.words(job)[0]["depth"] == "3"
    assert place.get("runs/get", run_id=job.run_id)["run"]["info"]["status"] == "FINISHED"
    assert not spool.exists()


def test_a_killed_hub_and_a_killed_runner_lose_no_point(
    place: Place,
    notebook: MakeNotebook,
    tmp_path: Path,
    begun: Callable[[], None],
    go: Callable[[], None],
) -> None:
    job = place.ws.jobs.submit(
        notebook(waits(tmp_path), f"{LOG}\n(here / 'done').touch()\ntime.sleep(600)")
    )
    begun()
    os.kill(json.loads(place.folder.hub_json.read_text())["pid"], signal.SIGKILL)
    go()
    until((tmp_path / "done").exists)
    folder = place.folder.attempt(job.id, 1)
    os.kill(json.loads((folder / "runner.json").read_text())["pid"], signal.SIGKILL)
    perijove("up", home=place.home)
    assert job.wait(120).data.reason == "lost"
    place.recorded(job)
    assert place.steps(job) == list(range(POINTS))
    assert place.words(job)[1]["mood"] == "good"


def test_a_job_reads_what_it_wrote_and_saves_models(
    place: Place, notebook: MakeNotebook, tmp_path: Path
) -> None:
    path = notebook(
        "import mlflow, multiprocessing, os\nfrom mlflow import MlflowClient\n"
        "client = MlflowClient()\nrun = mlflow.start_run().info.run_id\n"
        "mlflow.log_metrics({'a': 1.0, 'b': 2.0}, step=1)\nmlflow.log_param('p', 'v')\n"
        "found = mlflow.get_run(run).data\n"
        "assert found.metrics == {'a': 1.0, 'b': 2.0} and found.params['p'] == 'v'\n"
        "assert mlflow.search_runs(filter_string=\"params.p = 'v'\").run_id.tolist() == [run]\n"
        "assert mlflow.get_tracking_uri() == os.environ['MLFLOW_TRACKING_URI']\n"
        "try:\n    mlflow.log_param('p', 'other')\n    raise SystemExit(1)\n"
        "except mlflow.MlflowException as error:\n    assert 'Changing param' in str(error)",
        "from concurrent.futures import ProcessPoolExecutor\n"
        "def work(n):\n    client.log_metric(run, f'w{n}', n)\n    return n\n"
        "with ProcessPoolExecutor(2, multiprocessing.get_context('fork')) as pool:\n"
        "    assert list(pool.map(work, range(6))) == list(range(6))\n"
        "assert {f'w{n}' for n in range(6)} <= set(mlflow.get_run(run).data.metrics)",
        "from sklearn.datasets import load_iris\n"
        "from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier\n"
        "from sklearn.ensemble import HistGradientBoostingClassifier\n"
        "from sklearn.model_selection import GridSearchCV\n"
        "from sklearn.neighbors import KNeighborsClassifier\n"
        "from sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import StandardScaler\n"
        "X, y = load_iris(as_frame=True, return_X_y=True)\n"
        "models = [RandomForestClassifier(5), GradientBoostingClassifier(n_estimators=3),\n"
        "    HistGradientBoostingClassifier(max_iter=3), KNeighborsClassifier(),\n"
        "    GridSearchCV(make_pipeline(StandardScaler(), RandomForestClassifier(3)),\n"
        "        {'randomforestclassifier__max_depth': [1, 2]})]\n"
        "for model in models:\n"
        "    info = mlflow.sklearn.log_model(model.fit(X, y), name='m', input_example=X[:2])\n"
        "    again = mlflow.sklearn.load_model(info.model_uri)\n"
        "    assert (again.predict(X) == model.predict(X)).all()\n"
        "    assert info.signature is not None\n"
        "    folder = mlflow.artifacts.download_artifacts(info.model_uri)\n"
        "    wanted = open(folder + '/requirements.txt').read().split()\n"
        "    names = {line.split('==')[0] for line in wanted}\n"
        "    assert {'mlflow', 'scikit-learn', 'skops', 'numpy', 'pandas', 'scipy'} <= names\n"
        "mlflow.register_model(info.model_uri, 'iris')",
        "class Own(StandardScaler):\n    pass\n"
        "info = mlflow.sklearn.log_model(Own().fit(X), name='own')\n"
        "assert info.flavors['sklearn']['serialization_format'] == 'cloudpickle'",
    )
    job = place.ws.jobs.submit(path).wait(180)
    assert job.state == "succeeded", job.data.message


def test_what_code_calls_a_failure_stays_one(
    place: Place, notebook: MakeNotebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded once, and once more by the next hub."""
    once = tmp_path / "killed"
    os.kill(json.loads(place.folder.hub_json.read_text())["pid"], signal.SIGKILL)
    with monkeypatch.context() as patch:
        patch.setenv("PERIJOVE_KILL_AT", "finish.recorded")
        patch.setenv("PERIJOVE_KILL_ONCE", str(once))
        perijove("up", home=place.home)
    path = notebook("import mlflow\nmlflow.log_metric('auc', 0.1)\nmlflow.end_run('FAILED')")
    job = place.ws.jobs.submit(path).wait(120)
    until(once.exists)
    perijove("up", home=place.home)
    place.recorded(job)
    assert (job.state, job.run.status) == ("succeeded", "FAILED")
