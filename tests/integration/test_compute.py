"""Compute targets from the shell, Python and HTTP, against a real hub and real Dask."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from conftest import MakeNotebook, at_home, command, perijove, processes, said, until
from perijove.client.discovery import find_hub
from perijove.client.workspace import Workspace
from perijove.errors import Conflict, InvalidInput, NotFound
from perijove.models.workspaces import WorkspaceFolder

pytestmark = pytest.mark.integration

COMPUTE = "workspaces/default/compute"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("compute")
    with at_home(home):
        yield home
    assert processes(home / COMPUTE) == []


@pytest.fixture
def ws(place: Path) -> Iterator[Workspace]:
    workspace = Workspace()
    yield workspace
    for target in workspace.compute.list():
        if target.name != "local":
            target.delete(force=True)


def test_a_cluster_from_the_shell(ws: Workspace, place: Path, notebook: MakeNotebook) -> None:
    made = said("compute", "create", "train", "--max-nodes", "2", home=place)
    assert (made["state"], made["kind"], made["on"]) == ("running", "cluster", "local")
    assert (made["current_nodes"], made["min_nodes"], made["max_nodes"]) == (0, 0, 2)
    job = said("job", "submit", str(notebook("1")), "--compute", "train", "--wait", home=place)
    assert (job["state"], job["compute"]) == ("succeeded", "train")
    nodes = said("compute", "nodes", "train", home=place)
    assert [node["state"] for node in nodes] == ["idle"]
    scaled = said("compute", "scale", "train", "--max-nodes", "3", home=place)
    assert (scaled["max_nodes"], scaled["last_operation"]["name"]) == (3, "scale")
    assert said("compute", "stop", "train", home=place)["state"] == "stopped"
    assert processes(place / COMPUTE) == []
    assert said("compute", "start", "train", home=place)["state"] == "running"
    assert "scheduler" in said("compute", "logs", "train", home=place)["log"].lower()
    assert {t["name"] for t in said("compute", "list", home=place)} == {"local", "train"}
    said("compute", "delete", "train", home=place)
    assert processes(place / COMPUTE) == []
    said("compute", "show", "train", home=place, code=2)
    assert not (place / "workspaces/default/compute/train").exists()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "x"}, "name"),
        ({"name": "1abc"}, "name"),
        ({"name": "a" * 25}, "name"),
        ({"name": "a/../b"}, "name"),
        ({"name": "<b>x</b>"}, "name"),
        ({"name": "local"}, "name"),
        ({"name": "good", "on": "moon"}, "on"),
        ({"name": "good", "min_nodes": 3, "max_nodes": 2}, "max_nodes"),
        ({"name": "good", "max_nodes": 0}, "max_nodes"),
        ({"name": "good", "max_nodes": 900}, "max_nodes"),
        ({"name": "good", "cpus": 1000}, "cpus"),
        ({"name": "good", "memory": "four"}, "memory"),
        ({"name": "good", "memory": "900TiB"}, "memory"),
        ({"name": "good", "idle_seconds_before_scale_down": -1}, "idle_seconds_before_scale_down"),
        ({"name": "good", "color": "red"}, "color"),
    ],
)
def test_a_bad_definition_is_refused_and_leaves_nothing(
    ws: Workspace, place: Path, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises((InvalidInput, Conflict, NotFound)) as raised:
        ws.compute.create_cluster(**fields)
    assert raised.value.field == field
    assert [target.name for target in ws.compute.list()] == ["local"]
    folder = place / "workspaces/default/compute"
    assert not folder.exists() or {path.name for path in folder.iterdir()} <= {"local"}


@pytest.mark.parametrize("kind", ["cluster", "instance"])
def test_of_many_creators_of_one_name_one_succeeds(ws: Workspace, place: Path, kind: str) -> None:
    perijove("up", home=place)
    info = find_hub(WorkspaceFolder(place, "default"))
    assert info is not None
    headers = {"Authorization": f"Bearer {info.token}"}

    def create(number: int) -> httpx.Response:
        body = {"name": "same" if number % 2 else "SAME", "kind": kind}
        url = f"{info.url}/api/compute"
        return httpx.post(url, json=body, headers=headers, timeout=120)

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(create, range(32)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 31
    errors = [answer.json()["error"] for answer in answers if answer.status_code == 409]
    assert {error["field"] for error in errors} == {"name"}
    assert all("already" in error["message"] and error["remedy"] for error in errors)
    assert len(ws.compute.list()) == 2
    folders = place / "workspaces/default/compute"
    assert len([path for path in folders.iterdir() if path.name.lower() == "same"]) == 1
    mains = ("cluster.process", "instance.agent")
    commands = list(map(command, processes(place / COMPUTE)))
    assert len([line for line in commands if any(main in line for main in mains)]) == 1


def test_jobs_that_fit_no_node_are_refused(ws: Workspace, notebook: MakeNotebook) -> None:
    ws.compute.create_cluster("small", memory="1GiB")
    for field, asked in (("cpus", 2), ("gpus", 1), ("memory", "2GiB")):
        with pytest.raises(Conflict) as raised:
            ws.jobs.submit(notebook("1"), compute="small", **{field: asked})
        assert raised.value.field == field
    with pytest.raises(NotFound, match="no compute target named 'nowhere'"):
        ws.jobs.submit(notebook("1"), compute="nowhere")


def test_deleting_and_stopping_are_refused_while_jobs_run(
    ws: Workspace, place: Path, notebook: MakeNotebook
) -> None:
    target = ws.compute.create_cluster("busy", max_nodes=1, cpus=2)
    path = notebook("import time; time.sleep(600)")
    # the cluster has a place for each CPU: it holds the second job itself, and not the third
    runs, held, waits = (ws.jobs.submit(path, compute="busy", cpus=2) for _ in range(3))
    until(lambda: runs.state == "running")
    assert (target.refresh().running_jobs, target.queued_jobs, target.busy_nodes) == (1, 2, 1)
    for verb in (target.delete, target.stop, target.restart):
        with pytest.raises(Conflict, match="busy"):
            verb()
    target.stop(force=True)
    # what has not begun waits for the next start
    assert [job.state for job in (runs, held, waits)] == ["canceled", "queued", "queued"]
    target.start()
    until(lambda: held.state == "running")
    assert held.data.attempt == 1
    target.delete(force=True)
    assert {job.state for job in (runs, held, waits)} == {"canceled"}
    assert processes(place / COMPUTE) == []


def test_jobs_wait_for_a_stopped_cluster(
    ws: Workspace, place: Path, notebook: MakeNotebook
) -> None:
    target = ws.compute.create_cluster("rests")
    target.stop()
    for name, why in (("rests", "it is stopped"), ("local", "is no cluster")):
        with pytest.raises(Conflict, match=why), ws.compute[name].joblib():
            raise AssertionError("there is no scheduler")
    job = ws.jobs.submit(notebook("1"), compute="rests")
    assert job.state == "queued"
    assert "rests is stopped" in perijove("job", "show", job.id, home=place).stderr
    assert target.refresh().queued_jobs == 1
    target.start()
    assert job.wait(60).state == "succeeded"


def test_a_new_hub_finds_clusters_and_their_jobs_as_they_are(
    ws: Workspace, place: Path, notebook: MakeNotebook
) -> None:
    ws.compute.create_cluster("stays", max_nodes=1)
    job = ws.jobs.submit(notebook("import time; time.sleep(6)"), compute="stays")
    until(lambda: job.state == "running")
    before = sorted(process.pid for process in processes(place / COMPUTE))
    info = find_hub(WorkspaceFolder(place, "default"))
    assert info is not None
    os.kill(info.pid, signal.SIGKILL)
    assert job.wait(60).state == "succeeded"
    assert job.data.attempt == 1
    assert sorted(process.pid for process in processes(place / COMPUTE)) == before
    assert ws.compute.get("stays").state == "running"


def test_users_own_work_on_the_nodes(ws: Workspace, tmp_path: Path) -> None:
    ws.compute.create_cluster("shared", max_nodes=2)
    code = (
        "import perijove as pj\n"
        "from sklearn.datasets import load_iris\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.model_selection import GridSearchCV\n"
        "X, y = load_iris(return_X_y=True)\n"
        "search = GridSearchCV(LogisticRegression(max_iter=500), {'C': [0.1, 1]}, n_jobs=-1)\n"
        "target = pj.Workspace().compute['shared']\n"
        "with target.joblib() as client:\n"
        "    search.fit(X, y)\n"
        "    print(round(search.best_score_, 1), client.submit(sum, [1, 2]).result())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.split() == ["1.0", "3"], done.stderr[-3000:]


def test_down_ends_what_a_killed_hub_left_and_up_brings_it_back(ws: Workspace, place: Path) -> None:
    ws.compute.create_cluster("later", min_nodes=1, max_nodes=1)
    info = find_hub(WorkspaceFolder(place, "default"))
    assert info is not None
    os.kill(info.pid, signal.SIGKILL)
    assert said("down", home=place)["state"] == "stopped"
    assert processes(place / COMPUTE) == []
    assert find_hub(WorkspaceFolder(place, "default")) is None
    perijove("up", home=place)
    until(lambda: ws.compute.get("later").current_nodes == 1)
