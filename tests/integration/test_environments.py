"""Environments from the shell, Python and HTTP, with real uv and real packages."""

from __future__ import annotations

import json
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
from jupyter_core.paths import jupyter_data_dir

from conftest import MakeNotebook, at_home, command, kill, processes, said, until
from perijove.client.discovery import find_hub
from perijove.client.workspace import Workspace
from perijove.errors import Conflict, EnvironmentFailed, InvalidInput, NotFound
from perijove.models.workspaces import HubInfo, WorkspaceFolder

pytestmark = pytest.mark.integration

ENVIRONMENTS = "workspaces/default/environments"
SIX = """
import importlib.util, json, six, sys
lent = importlib.util.find_spec("perijove_job") is not None
print(json.dumps([six.__version__, sys.executable, lent]))
"""

PROJECT = '[project]\nname = "p"\nversion = "1"\ndependencies = ["{}"]\n'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("environments")
    with at_home(home):
        yield home
    until(lambda: processes(home / ENVIRONMENTS) == [])


@pytest.fixture
def ws(place: Path) -> Workspace:
    return Workspace()


@pytest.fixture(scope="module")
def geo(place: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An environment with six 1.16."""
    file = write(tmp_path_factory.mktemp("files"), "six==1.16.0")
    made = said("environment", "create", "geo", "--requirements", str(file), home=place)
    assert (made["state"], made["reference"]) == ("ready", "geo:1"), made
    return "geo"


def write(folder: Path, text: str, name: str = "requirements.txt") -> Path:
    (folder / name).write_text(text)
    return folder / name


def hub(home: Path) -> HubInfo:
    found = find_hub(WorkspaceFolder(home, "default"))
    assert found is not None
    return found


def output(job: Any) -> Any:
    return json.loads(job.logs().strip().splitlines()[-1])


def test_a_job_runs_in_what_was_built(
    ws: Workspace, place: Path, geo: str, notebook: MakeNotebook, tmp_path: Path
) -> None:
    shown = said("environment", "show", geo, home=place)
    assert (shown["kind"], shown["source"], shown["warm"]) == ("built", "requirements", True)
    assert "six==1.16.0" in shown["text"]
    assert "+ six==1.16.0" in said("environment", "logs", geo, home=place)["log"]
    source = str(notebook(SIX))
    job = said("job", "submit", source, "--environment", "geo", "--wait", home=place)
    assert (job["state"], job["environment"]) == ("succeeded", "geo:1")
    done = ws.jobs.get(job["id"])
    assert output(done) == ["1.16.0", shown["interpreter"], True]
    [begun] = [event for event in done.events() if event.type.value == "attempt"]
    assert begun.data["warm"] is True
    assert Workspace().client.request("GET", f"/jobs/{job['id']}")["message"] is None
    script = tmp_path / "s.py"
    script.write_text(SIX)
    latest = ws.jobs.submit(script, environment="geo@latest").wait(60)
    assert output(latest) == ["1.16.0", shown["interpreter"], True]
    folder = shown["interpreter"].removesuffix("/bin/python")
    by_path = ws.jobs.submit(notebook(SIX), environment=folder).wait(60)
    assert (by_path.state, by_path.environment) == ("succeeded", folder)
    assert output(by_path)[0] == "1.16.0"
    base = ws.jobs.submit(notebook(SIX), environment="base").wait(60)
    assert (base.environment, output(base)[1:]) == ("base:1", [sys.executable, False])


def test_on_a_cluster_it_is_warm_too(ws: Workspace, geo: str, notebook: MakeNotebook) -> None:
    target = ws.compute.create_cluster("train", max_nodes=1)
    try:
        job = ws.jobs.submit(notebook(SIX), compute="train", environment="geo").wait(120)
        assert job.state == "succeeded", job.message
        assert output(job)[0] == "1.16.0"
        [begun] = [event for event in job.events() if event.type.value == "attempt"]
        assert begun.data["warm"] is True
    finally:
        target.delete(force=True)


def test_it_is_a_kernelspec_of_an_instance(
    ws: Workspace, geo: str, notebook: MakeNotebook, tmp_path: Path
) -> None:
    target = ws.compute.create_instance("box")
    try:
        spec = Path(jupyter_data_dir()) / "kernels" / f"{geo}@box" / "kernel.json"
        until(spec.exists)
        assert json.loads(spec.read_text())["display_name"] == f"{geo} @ box"
        command = ["-m", "papermill", str(notebook(SIX)), str(tmp_path / "out.ipynb")]
        command += ["-k", f"{geo}@box"]
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        assert "1.16.0" in (tmp_path / "out.ipynb").read_text()
    finally:
        target.delete(force=True)
    until(lambda: not spec.exists())


def test_it_is_a_kernelspec_for_papermill(
    place: Path, geo: str, notebook: MakeNotebook, tmp_path: Path
) -> None:
    environ = os.environ | {"JUPYTER_PATH": str(place / "workspaces/default/environments")}
    command = ["-m", "papermill", str(notebook(SIX)), str(tmp_path / "out.ipynb"), "-k", geo]
    subprocess.run([sys.executable, *command], env=environ, check=True, capture_output=True)
    assert "1.16.0" in (tmp_path / "out.ipynb").read_text()


def test_other_content_is_another_version_that_jobs_may_name(
    ws: Workspace, geo: str, notebook: MakeNotebook, tmp_path: Path
) -> None:
    file = write(tmp_path, "six==1.17.0")
    made = ws.environments.create("two", requirements=file, wait=True)
    (tmp_path / "pyproject.toml").write_text(PROJECT.format("six==1.16.0"))
    newer = ws.environments.create("two", pyproject=tmp_path)
    assert (made.reference, newer.reference) == ("two:1", "two:2")
    waits = ws.jobs.submit(notebook(SIX), environment="two")
    assert "waits for the environment two:2" in str(waits.message)
    old = ws.jobs.submit(notebook(SIX), environment="two:1").wait(60)
    assert output(old)[0] == "1.17.0"
    assert output(waits.wait(120))[0] == "1.16.0"
    assert waits.environment == "two:2"
    assert [x.reference for x in ws.environments.get("two").versions] == ["two:2", "two:1"]
    with pytest.raises(NotFound, match="It has: 1, 2"):
        ws.jobs.submit(notebook(SIX), environment="two:7")


def test_32_creators_at_once_make_one_version_and_one_build(
    ws: Workspace, place: Path, tmp_path: Path
) -> None:
    file = write(tmp_path, "six==1.15.0")

    def create(number: int) -> Any:
        name = ("many", "more")[number % 2]
        return Workspace().environments.create(name, requirements=file).wait(300)

    with ThreadPoolExecutor(32) as pool:
        made = list(pool.map(create, range(32)))
    assert {environment.reference for environment in made} == {"many:1", "more:1"}
    assert {environment.state for environment in made} == {"ready"}
    [digest] = {environment.digest for environment in made}
    log = place / "workspaces/default/environments" / digest / "build.log"
    assert log.read_text().count(" venv --python") == 1
    assert ws.environments.delete("more").freed_bytes == 0
    assert ws.environments.get("many").state == "ready"
    assert ws.environments.delete("many").freed_bytes > 1_000_000


def test_a_build_that_cannot_be_says_why_and_can_be_tried_again(
    ws: Workspace, place: Path, notebook: MakeNotebook, tmp_path: Path
) -> None:
    file = write(tmp_path, "six==999.0")
    command = ("environment", "create", "broken", "--requirements", str(file))
    made = said(*command, home=place, code=1)
    assert made["state"] == "failed"
    assert "six==999.0" in made["message"]
    assert "error" in said("environment", "logs", "broken", home=place)["log"]
    job = ws.jobs.submit(notebook(SIX), environment="broken").wait(60)
    assert (job.state, job.reason) == ("failed", "environment_failed")
    assert "six==999.0" in job.message
    found = ws.environments.get("broken")
    with pytest.raises(EnvironmentFailed, match=r"six==999\.0"):
        found.build().wait(60)
    assert not any((place / "workspaces/default/environments").glob(f"{found.digest}/venv"))
    ws.environments.delete("broken")
    assert not (place / "workspaces/default/environments" / found.digest).exists()


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"text": "numpy >> 2"}, "text", "no such comparison operator"),
        ({"text": ""}, "text", "empty"),
        ({"python": "3.99"}, "python", "no Python 3.99"),
        ({"name": "python3"}, "name", "already"),
        ({"name": "base"}, "name", "already"),
        ({"name": "x/../y"}, "name", "lower-case"),
        ({"source": "pyproject", "text": PROJECT.format("foo ~~ 3")}, "text", "foo ~~ 3"),
        ({"source": "conda", "text": "dependencies: [{pip: ['~~']}]"}, "text", "uv cannot"),
    ],
)
def test_what_breaks_a_rule_is_refused_and_leaves_nothing(
    ws: Workspace, place: Path, fields: dict[str, str], field: str, says: str
) -> None:
    before = [environment.reference for environment in ws.environments.list()]
    given = {"name": "bad", "source": "requirements", "text": "six"} | fields
    info = hub(place)
    answer = httpx.post(
        f"{info.url}/api/environments",
        json=given,
        headers={"Authorization": f"Bearer {info.token}"},
    )
    assert answer.status_code in (409, 422)
    error = answer.json()["error"]
    assert error["field"] == field
    assert says in f"{error['message']} {error['remedy']}"
    assert [environment.reference for environment in ws.environments.list()] == before


def test_files_that_cannot_be_read_are_refused_by_the_shell(place: Path, tmp_path: Path) -> None:
    for words, field in (
        (("--requirements", str(tmp_path / "none.txt")), "requirements"),
        (("--pyproject", str(tmp_path)), "pyproject"),
        ((), "requirements"),
        (("--requirements", "a", "--conda", "b"), "requirements"),
    ):
        answer = said("environment", "create", "bad", *words, home=place, code=2)
        assert answer["error"]["field"] == field


def test_a_conda_file_without_conda_is_its_pip_part_with_a_warning(
    ws: Workspace, tmp_path: Path
) -> None:
    text = "dependencies:\n- gdal=3\n- pip:\n  - six==1.16.0\n"
    made = ws.environments.create("conda", conda=write(tmp_path, text, "e.yml"), wait=True)
    assert "left out: gdal=3" in str(made.message)
    assert "left out: gdal=3" in str(made.logs())
    made.delete()


def test_a_hub_and_a_build_that_are_killed_are_taken_up_by_the_next(
    ws: Workspace, place: Path, notebook: MakeNotebook, tmp_path: Path
) -> None:
    made = ws.environments.create("killed", requirements=write(tmp_path, "six==1.14.0"))
    job = ws.jobs.submit(notebook(SIX), environment="killed")
    folder = place / "workspaces/default/environments" / made.digest
    until(lambda: (folder / "build.log").exists() and (folder / "venv").exists())
    os.kill(hub(place).pid, signal.SIGKILL)
    kill(processes(place / ENVIRONMENTS), "perijove.runner.build")
    assert not (folder / "done.json").exists()
    assert output(job.wait(120))[0] == "1.14.0"
    assert made.wait(60).state == "ready"
    # a build outlives the hub that began it
    made = ws.environments.create("outlives", requirements=write(tmp_path, "six==1.13.0"))
    folder = place / "workspaces/default/environments" / made.digest
    until(lambda: (folder / "venv").exists())
    os.kill(hub(place).pid, signal.SIGKILL)
    assert made.wait(120).state == "ready"
    assert (folder / "build.log").read_text().count(" venv --python") == 1


def test_a_job_outlives_the_hub(
    ws: Workspace, place: Path, geo: str, notebook: MakeNotebook
) -> None:
    job = ws.jobs.submit(notebook("import time; time.sleep(4)", SIX), environment="geo")
    until(lambda: job.state == "running")
    os.kill(hub(place).pid, signal.SIGKILL)
    assert job.wait(60).state == "succeeded"
    assert (job.data.attempt, output(job)[0]) == (1, "1.16.0")


def test_what_a_job_uses_is_not_deleted_and_cancel_leaves_no_process(
    ws: Workspace, place: Path, geo: str, notebook: MakeNotebook
) -> None:
    job = ws.jobs.submit(notebook("import time; time.sleep(60)"), environment="geo")
    until(lambda: job.state == "running")
    with pytest.raises(Conflict, match="1 job"):
        ws.environments.delete("geo")
    job.cancel().wait(60)
    lines = map(command, processes(place / ENVIRONMENTS))
    assert [line for line in lines if line and "environment.py" not in line] == []
    assert ws.environments.delete("geo").freed_bytes > 1_000_000
    with pytest.raises(NotFound):
        ws.environments.get("geo")
    until(lambda: processes(place / ENVIRONMENTS) == [])


def test_a_file_of_bad_kind_is_refused_by_the_sdk(ws: Workspace) -> None:
    with pytest.raises(InvalidInput, match="one file"):
        ws.environments.create("bad")
