"""Experiments and runs from the SDK, the command line, a magic and the stream, on a real hub."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from perijove.cli.program import run as cli
from perijove.client.workspace import Workspace
from perijove.errors import Conflict, InvalidInput, NotFound

pytestmark = pytest.mark.integration
PARQUET_LIKE = b"PAR1 but not really"


class Logged:
    """An experiment with two runs, written as MLflow's clients do."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        deadline = time.monotonic() + 120
        while workspace.status().tracking_state != "running":  # its first start takes a while
            assert time.monotonic() < deadline
            time.sleep(0.2)
        info = workspace.client.info
        headers = {"Authorization": f"Bearer {info.token}"}
        self.http = httpx.Client(base_url=info.tracking_uri, headers=headers, timeout=60)
        self.name = f"studio {uuid4().hex[:8]}"
        self.id = workspace.experiments.create(self.name, "What *this* is.").id
        self.runs = [self._run(n) for n in range(2)]

    def _run(self, number: int) -> str:
        made = self.post("runs/create", experiment_id=self.id, run_name=f"=r{number}",
                         start_time=1000 + number)  # fmt: skip
        run_id: str = made["run"]["info"]["run_id"]
        points = [{"key": "auc", "value": number + step / 10, "timestamp": step, "step": step}
                  for step in range(5)]  # fmt: skip
        params = [{"key": "lr", "value": str(number)}, {"key": "same", "value": "1"}]
        self.post("runs/log-batch", run_id=run_id, metrics=points, params=params)
        root = made["run"]["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
        notebook = {"cells": [{"cell_type": "code", "id": "c", "source": f"x = {number}",
                               "metadata": {}, "outputs": [], "execution_count": None}],
                    "metadata": {}, "nbformat": 4, "nbformat_minor": 5}  # fmt: skip
        files = {
            "notes/a.txt": b"hello",
            "page.html": b"<script>alert(1)</script>",
            "table.parquet": PARQUET_LIKE,
            "notebook/train.ipynb": json.dumps(notebook).encode(),
        }
        for path, content in files.items():
            url = f"/api/2.0/mlflow-artifacts/artifacts/{root}/{path}"
            assert self.http.put(url, content=content).status_code == 200
        return run_id

    def post(self, route: str, **body: Any) -> Any:
        answer = self.http.post(f"/api/2.0/mlflow/{route}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def logged(session_home: Path) -> Iterator[Logged]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERIJOVE_HOME", str(session_home))
        made = Logged(Workspace())
        yield made
        made.http.close()
        made.workspace.close()


def test_search_and_change(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = logged.workspace.runs
    with monkeypatch.context() as patch:
        patch.setattr("perijove.client.runs.MOST", 1)  # runs in an answer
        assert [run.run_id for run in runs.search(logged.name, limit=None)] == logged.runs[::-1]
        for limit in range(3):
            found = runs.search(logged.name, order_by="attributes.start_time", limit=limit)
            assert ([run.run_id for run in found], found.total) == (logged.runs[:limit], 2)
    found = runs.search(logged.name, "metrics.auc > 0", "metrics.auc DESC")
    assert [run.run_id for run in found] == logged.runs[::-1]
    assert found.total == 2
    frame = found.dataframe()
    assert frame["metrics.auc"].tolist() == [1.4, 0.4]
    assert frame["params.lr"].tolist() == ["1", "0"]
    run = runs.get(logged.runs[0])
    assert (run.metrics, run.params["lr"], run.info["start_time"]) == ({"auc": 0.4}, "0", 1000)
    assert [point["step"] for point in run.metric_history("auc")] == list(range(5))
    assert run.history("auc")["value"].tolist() == [0.0, 0.1, 0.2, 0.3, 0.4]
    table = run.compare(logged.runs[1])
    assert dict(table["differs"]) == {
        "params.lr": True, "metrics.auc": True, "params.same": False,
    }  # fmt: skip
    assert run.set_tags({"owner": "me"}).row.tags == {"owner": "me"}
    assert run.set_tags({"owner": None}).row.tags == {}
    run.delete()
    with pytest.raises(Conflict, match="Restore"):
        run.rename("new")
    assert run.restore().data.lifecycle_stage.value == "active"
    with pytest.raises(NotFound, match="no run"):
        runs.get("0" * 32)
    with pytest.raises(NotFound, match="no experiment"):
        runs.search("nothing of that name")


def test_artifacts(logged: Logged, tmp_path: Path) -> None:
    run = logged.workspace.runs.get(logged.runs[0])
    assert run.artifacts() == ["notebook/", "notes/", "page.html", "table.parquet"]
    place = run.download(tmp_path / "all")
    assert (place / "notes" / "a.txt").read_text() == "hello"
    assert run.download(tmp_path / "one", "notes/a.txt").read_text() == "hello"
    request = logged.workspace.client.request
    parquet = request("GET", f"/runs/{run.run_id}/artifacts/preview?path=table.parquet")
    assert (parquet["kind"], "Parquet" in parquet["message"]) == ("none", True)
    left, right = logged.runs
    diff = request("GET", f"/runs/notebook-diff?left={left}&right={right}")
    assert diff["diff"][0]["key"] == "cells"
    lineage = request("GET", f"/runs/{run.run_id}/lineage")
    assert lineage["nodes"][0]["id"] == f"run:{run.run_id}"


def test_the_beginning_of_an_id_and_a_run_without_artifacts(
    logged: Logged, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = logged.workspace.experiments.create(f"bare {uuid4().hex[:8]}").id
    made = logged.post("runs/create", experiment_id=other, run_name="bare")["run"]["info"]
    run = logged.workspace.runs.get(made["run_id"][:12])
    assert (run.run_id, run.artifacts()) == (made["run_id"], [])
    assert cli(["run", "download", made["run_id"][:12], str(tmp_path / "bare")]) == 0
    assert "no artifacts" in capsys.readouterr().out
    assert list((tmp_path / "bare").iterdir()) == []
    with pytest.raises(NotFound, match="no artifact"):
        run.download(tmp_path / "other", "nope")
    assert not (tmp_path / "other").exists()
    assert logged.workspace.runs.delete([made["run_id"][:12]]) == [made["run_id"]]
    assert cli(["run", "download", logged.runs[0], "/proc/nope"]) == 2
    for wrong in ("", "a/b", "<b>", "\ud800", "x" * 5000, "ab"):
        assert cli(["run", "show", wrong]) == 2
        assert "There is no run" in capsys.readouterr().err


def test_files_are_no_pages_of_ours(logged: Logged) -> None:
    info = logged.workspace.client.info
    url = f"{info.url}/api/runs/{logged.runs[0]}/artifacts/file"
    headers = {"Authorization": f"Bearer {info.token}"}
    page = httpx.get(url, params={"path": "page.html"}, headers=headers)
    assert page.headers["content-type"].startswith("text/plain")
    assert page.headers["content-security-policy"].startswith("sandbox")
    assert page.headers["x-content-type-options"] == "nosniff"
    part = httpx.get(url, params={"path": "notes/a.txt"}, headers=headers | {"Range": "bytes=1-2"})
    assert (part.status_code, part.content) == (206, b"el")
    assert part.headers["content-range"] == "bytes 1-2/5"
    beyond = httpx.get(url, params={"path": "notes/a.txt"}, headers=headers | {"Range": "bytes=9-"})
    assert (beyond.status_code, beyond.content) == (416, b"")


def test_views_are_tags(logged: Logged) -> None:
    request = logged.workspace.client.request
    path = f"/experiments/{logged.id}/views"
    for name in ("Best ones", "Größte", "best ones 2"):
        request("POST", path, json={"name": name, "columns": ["metrics.auc"]})
    listed = request("POST", path, json={"name": "Best ones", "filter": "metrics.auc > 1"})
    assert [view["name"] for view in listed] == ["Best ones", "best ones 2", "Größte"]
    assert listed[0]["filter"] == "metrics.auc > 1"
    renamed = request("POST", f"{path}/rename?name=Best ones", json={"name": "auc > 1 <b>/&?</b>"})
    assert [view["name"] for view in renamed] == ["auc > 1 <b>/&?</b>", "best ones 2", "Größte"]
    assert renamed[0] == listed[0] | {"name": "auc > 1 <b>/&?</b>"}
    with pytest.raises(Conflict, match="Größte already"):
        request("POST", f"{path}/rename?name=best ones 2", json={"name": "Größte"})
    with pytest.raises(NotFound):
        request("POST", f"{path}/rename?name=Best ones", json={"name": "other"})
    for name in ("", " ", "a\u202eb", "a\n", "x" * 129):
        with pytest.raises(InvalidInput, match="view's name"):
            request("POST", f"{path}/rename?name=Größte", json={"name": name})
    kept = request("POST", f"{path}/delete?name=Gr%C3%B6%C3%9Fte")
    assert [view["name"] for view in kept] == ["auc > 1 <b>/&?</b>", "best ones 2"]
    with pytest.raises(NotFound):
        request("POST", f"{path}/delete?name=nothing")
    assert logged.workspace.experiments.get(logged.name).tags == {}


def test_the_stream_tells_of_changes(logged: Logged) -> None:
    info = logged.workspace.client.info
    headers = {"Authorization": f"Bearer {info.token}"}
    told: set[str] = set()
    with httpx.stream("GET", f"{info.url}/api/events", headers=headers, timeout=60) as stream:
        event, written = "", False
        for line in stream.iter_lines():
            if not written:
                written = True
                logged.post("runs/set-tag", run_id=logged.runs[0], key="seen", value="yes")
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: ") and event == "tracking":
                told |= set(json.loads(line.removeprefix("data: "))["runs"])
                if logged.runs[0] in told:
                    return
    raise AssertionError("the stream ended")


def test_commands(logged: Logged, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def told(*words: str, code: int = 0) -> Any:
        assert cli([*words, "--json"]) == code, words
        return json.loads(capsys.readouterr().out)

    one, other = logged.runs
    assert told("experiment", "show", logged.name)["runs"] == 2
    assert logged.id in [found["id"] for found in told("experiment", "list")]
    searched = told("experiment", "search", f"name = '{logged.name}'")
    assert [(found["id"], found["runs"]) for found in searched] == [(logged.id, 2)]
    assert told("experiment", "search", "nothing", code=2)["error"]["field"] == "filter"
    listed = told("run", "list", logged.name, "--order-by", "metrics.auc desc", "--limit", "1",
                  "--columns", "metrics.auc")  # fmt: skip
    assert [(run["run_id"], run["params"]) for run in listed] == [(other, {})]
    assert len(told("run", "search", "-e", logged.id, "--filter", "params.lr = '0'")) == 1
    assert told("run", "show", one)["experiment_name"] == logged.name
    assert told("run", "compare", one, other)[0]["differs"]
    assert told("run", "tag", one, "a=b")["tags"]["a"] == "b"
    assert "a" not in told("run", "tag", one, "a-")["tags"]
    assert told("run", "download", one, str(tmp_path), "--path", "notes")["path"]
    assert (tmp_path / "notes" / "a.txt").exists()
    assert told("run", "delete", one)["run_ids"] == [one]
    assert [run["run_id"] for run in told("run", "list", logged.name, "--deleted")] == [one]
    told("run", "restore", one)
    refused = told("run", "list", logged.name, "--filter", "nothing", code=2)["error"]
    assert refused["field"] == "filter"
    assert told("run", "show", "0" * 32, code=2)["error"]["code"] == "not_found"
    name = f"{logged.name} b"
    made = told("experiment", "create", name)
    assert told("experiment", "rename", name, f"{name}c")["id"] == made["id"]
    assert told("experiment", "delete", f"{name}c")["lifecycle_stage"] == "deleted"
    assert told("experiment", "restore", made["id"])["lifecycle_stage"] == "active"
    assert cli(["run", "list", logged.name]) == 0
    assert "=r0" in capsys.readouterr().out


def test_a_magic_gives_a_dataframe(logged: Logged) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    from perijove.notebook.magics import PerijoveMagics

    magics = PerijoveMagics(InteractiveShell())
    frame = magics.perijove(f"run list '{logged.name}' --order-by 'metrics.auc desc'")
    assert frame["run_id"].tolist() == logged.runs[::-1]
    assert not math.isnan(frame["metrics.auc"].sum())


def test_a_refusal_names_the_field(logged: Logged) -> None:
    info = logged.workspace.client.info
    headers = {"Authorization": f"Bearer {info.token}"}
    for path, body, field in (
        ("runs/search", {"experiment_ids": [logged.id], "filter": "metrics.a >> 1"}, "filter"),
        ("runs/csv", {"experiment_ids": [logged.id], "order_by": ["x"]}, "order_by"),
        ("runs/delete", {"run_ids": [logged.runs[0], "nobody"]}, "run_ids"),
        ("experiments", {"name": "<b>"}, "name"),
    ):
        answer = httpx.post(f"{info.url}/api/{path}", json=body, headers=headers, timeout=60)
        assert answer.status_code in (404, 422)
        assert answer.json()["error"]["field"] == field
    assert logged.workspace.runs.get(logged.runs[0]).data.lifecycle_stage.value == "active"
