"""The command line against a real hub, real kernels and a real MLflow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import MakeNotebook, perijove, write_notebook

pytestmark = pytest.mark.integration


@pytest.fixture
def run(session_home: Path) -> Iterator[Any]:
    """Run a command and read its JSON: ``(exit code, document)``."""

    def call(*words: str) -> tuple[int, Any]:
        done = perijove(*words, "--json", home=session_home)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout)

    return call


def test_a_notebook_becomes_a_recorded_job(
    run: Any, notebook: MakeNotebook, tmp_path: Path
) -> None:
    path = notebook(
        "import mlflow, os\nprint('lr', lr)",
        "with mlflow.start_run() as mine: mlflow.log_metric('auc', 0.9, step=3)\n"
        "with mlflow.start_run() as second: mlflow.log_param('second', 1)",
        "os.makedirs('outputs', exist_ok=True); open('outputs/a.txt', 'w').write('kept')\n"
        "open(os.path.join(os.environ['PERIJOVE_OUTPUTS'], 'b.txt'), 'w').write('kept')",
        "assert {'MLFLOW_TRACKING_TOKEN', 'MLFLOW_EXPERIMENT_ID', 'PERIJOVE_JOB_ID'} "
        "<= set(os.environ)",
        parameters="lr: float = 0.1  # learning rate",
    )
    code, job = run("job", "submit", str(path), "-p", "lr=0.25", "--wait", "--experiment", "first")
    assert (code, job["state"]) == (0, "succeeded"), job
    assert job["parameters"] == {"lr": 0.25}
    assert job["progress"] == {"done": 6, "total": 6}
    assert "papermill" in json.loads(Path(job["output_notebook"]).read_text())["metadata"]
    _, shown = run("job", "show", job["id"][:8])
    assert shown["id"] == job["id"]
    _, up = run("up")
    files = {file["path"] for file in _get(up, job, "files")}
    assert {
        "notebook/notebook.ipynb", "notebook/notebook.html", "snapshot/notebook.ipynb",
        "outputs/a.txt", "outputs/b.txt", "logs/job.log", "logs/environment.json",
    } <= files  # fmt: skip
    runs = _mlflow(up, job, "first")
    mine = next(r for r in runs if r["info"]["run_id"] == job["run_id"])
    assert mine["info"]["status"] == "FINISHED"
    assert {p["key"]: p["value"] for p in mine["data"]["params"]} == {"lr": "0.25"}
    assert mine["data"]["metrics"][0]["value"] == 0.9
    tags = [{t["key"]: t["value"] for t in r["data"]["tags"]} for r in runs]
    assert sum(t.get("perijove.job_id") == job["id"] for t in tags) == 1
    assert sum(t.get("mlflow.parentRunId") == job["run_id"] for t in tags) == 1
    _, downloaded = run("job", "download", job["id"], str(tmp_path / "d"))
    assert (tmp_path / "d/outputs/a.txt").read_text() == "kept"
    assert len(downloaded["files"]) == len(files)
    _, logs = run("job", "logs", job["id"])
    assert "lr 0.25" in logs["log"]


def _get(up: dict[str, str], job: dict[str, str], part: str) -> Any:
    import httpx

    headers = {"Authorization": f"Bearer {up['token']}"}
    return httpx.get(f"{up['url']}/api/jobs/{job['id']}/{part}", headers=headers).json()


def _mlflow(up: dict[str, str], job: dict[str, str], experiment: str) -> list[dict[str, Any]]:
    import httpx

    headers = {"Authorization": f"Bearer {up['token']}"}
    found = httpx.post(
        f"{up['tracking_uri']}/api/2.0/mlflow/runs/search",
        json={"experiment_ids": [job["experiment_id"]], "max_results": 100},
        headers=headers,
    ).json()
    runs: list[dict[str, Any]] = found["runs"]
    return runs


def test_exit_codes(run: Any, notebook: MakeNotebook) -> None:
    failing = notebook("x = 1", "1 / 0", "x", name="failing.ipynb")
    code, job = run("job", "submit", str(failing), "--wait")
    assert (code, job["state"], job["reason"]) == (1, "failed", "user_error")
    assert job["message"] == "cell 2: ZeroDivisionError: division by zero"
    slow = notebook("import time; time.sleep(60)", name="slow.ipynb")
    _, job = run("job", "submit", str(slow))
    code, job = run("job", "cancel", job["id"])
    assert (code, job["state"]) == (0, "canceled")
    assert run("job", "wait", job["id"])[0] == 130
    code, error = run("job", "submit", "/nonexistent.ipynb")
    assert code == 2
    assert error["error"]["field"] == "path"
    code, error = run("job", "show", "ffffffff")
    assert (code, error["error"]["code"]) == (2, "not_found")
    code, error = run("job", "submit", str(slow), "-p", "not an identifier=1")
    assert code == 2
    assert error["error"]["field"].startswith("parameters")
    assert run("job", "submit", str(slow), "--retries", "many")[0] == 2
    assert run("frobnicate")[0] == 2


def test_a_timeout_and_a_retry(run: Any, notebook: MakeNotebook) -> None:
    path = notebook("import time; time.sleep(60)")
    code, job = run("job", "submit", str(path), "--timeout", "1", "--retries", "1", "--wait")
    assert (code, job["reason"], job["attempt"]) == (1, "timed_out", 2)


def test_a_script_with_its_folder(run: Any, tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("NAME = 'helped'")
    (tmp_path / "main.py").write_text(
        "import argparse, helper, os\n"
        "p = argparse.ArgumentParser(); p.add_argument('--depth', type=int)\n"
        "print(helper.NAME, p.parse_args().depth + 1)\n"
        "open('outputs/made.txt', 'w').write('x')\n"
    )
    code, job = run("job", "submit", str(tmp_path / "main.py"), "-p", "depth=3", "--wait")
    assert (code, job["kind"], job["state"]) == (0, "script", "succeeded"), job
    assert "helped 4" in run("job", "logs", job["id"])[1]["log"]
    (tmp_path / "main.py").write_text("raise SystemExit('no good')")
    code, job = run("job", "submit", str(tmp_path / "main.py"), "--wait")
    assert (code, job["reason"]) == (1, "user_error")
    assert "no good" in job["message"]


def test_a_run_configuration(run: Any, notebook: MakeNotebook, tmp_path: Path) -> None:
    path = notebook("assert (a, b) == (1, 5)", parameters="a = 0\nb = 0")
    assert (
        run("job", "submit", str(path), "-p", "a=1", "-p", "b=2", "--save", "--name", "kept")[0]
        == 0
    )
    saved = tmp_path / "notebook.job.yaml"
    assert "name: kept" in saved.read_text()
    assert "path: notebook.ipynb" in saved.read_text()  # beside it, wherever its root is
    code, job = run("job", "submit", "-f", str(saved), "-p", "b=5", "--wait")
    assert (code, job["name"], job["parameters"]) == (0, "kept", {"a": 1, "b": 5}), job


def test_a_dry_run_prints_the_attempt_without_secrets(run: Any, notebook: MakeNotebook) -> None:
    code, planned = run("job", "submit", str(notebook("1")), "--dry-run", "-p", "a=1")
    assert code == 0
    assert planned["attempt"]["parameters"] == {"a": 1}
    assert planned["attempt"]["environ"]["MLFLOW_TRACKING_TOKEN"] == "(hidden)"
    assert run("job", "show", planned["job"]["id"])[0] == 2


def test_rerun_delete_and_prune(run: Any, notebook: MakeNotebook) -> None:
    path = notebook("print(a)", parameters="a = 0")
    _, first = run("job", "submit", str(path), "-p", "a=1", "--wait")
    path.unlink()
    code, again = run("job", "rerun", first["id"], "-p", "a=2", "--wait")
    assert (code, again["parameters"], again["rerun_of"]) == (0, {"a": 2}, first["id"])
    _, report = run("job", "delete", first["id"])
    assert report["kept_runs"] == [first["run_id"]]
    _, report = run("prune", "--older-than", "0s", "--dry-run")
    assert again["id"] in report["deleted"]
    assert run("prune", "--older-than", "soon")[0] == 2


def test_two_racing_starts_make_one_hub_and_stale_files_are_seen(home: Path) -> None:
    shutil.rmtree(home)  # they race for its folders, too
    command = [sys.executable, "-m", "perijove.cli", "up", "--json"]
    environ = os.environ | {"PERIJOVE_HOME": str(home)}
    starts = [
        subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    pids = {json.loads(start.communicate(timeout=90)[0])["pid"] for start in starts}
    assert len(pids) == 1
    hub_json = home / "workspaces/default/hub.json"
    assert hub_json.stat().st_mode & 0o777 == 0o600
    os.kill(pids.pop(), 9)
    while json.loads(perijove("status", "--json", home=home).stdout)["state"] == "running":
        time.sleep(0.05)
    assert hub_json.exists()
    again = json.loads(perijove("up", "--json", home=home).stdout)
    assert json.loads(hub_json.read_text())["pid"] == again["pid"]


def test_down_protects_running_jobs(home: Path, tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "n.ipynb", "import time; time.sleep(60)")
    job = json.loads(perijove("job", "submit", str(path), "--json", home=home).stdout)
    refused = perijove("down", "--json", home=home)
    assert refused.returncode == 2
    assert "--force" in json.loads(refused.stdout)["error"]["remedy"]
    stopped = json.loads(perijove("down", "--force", "--json", home=home).stdout)
    assert stopped["canceled"] == [job["id"]]
    assert json.loads(perijove("status", "--json", home=home).stdout)["state"] == "stopped"
    assert _processes_of(job["id"]) == []


def _processes_of(job_id: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"PERIJOVE_JOB_ID={job_id}".encode() in (process / "environ").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


def test_an_unwritable_home_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = perijove("up", "--json", home=tmp_path / "file")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["field"] == "PERIJOVE_HOME"
