"""Widgets, their kernel's side: what they ask the hub for, and when they ask again."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import traitlets
from ipywidgets import Widget

from conftest import until
from perijove.client import displays
from perijove.client.experiments import Experiment
from perijove.client.http import HubClient
from perijove.client.listed import Listed
from perijove.client.models import Model
from perijove.client.workspace import Workspace
from perijove.errors import HubUnreachable, InvalidInput, NotFound
from perijove.models.registry import RegisteredModel
from perijove.models.workspaces import HubInfo
from perijove.notebook.widgets import (
    CompareRuns,
    JobTable,
    MetricChart,
    RunTable,
    RunView,
    base,
    best_order,
)
from perijove.notebook.widgets.live import Live, parse
from perijove.notebook.widgets.prediction import PredictionForm

EXPERIMENT = {"id": "7", "name": "churn"}
COLUMNS = [
    {"name": "metrics.fit_time", "kind": "metric", "key": "fit_time", "runs": 2, "numeric": True},
    {"name": "metrics.loss", "kind": "metric", "key": "loss", "runs": 2, "numeric": True},
    {"name": "metrics.auc", "kind": "metric", "key": "auc", "runs": 2, "numeric": True},
]


def run(run_id: str, **metrics: Any) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "name": f"<b>{run_id}</b>",
        "experiment_id": "7",
        "status": "FINISHED",
        "started_at": "2026-11-21T14:05:00Z",
        "metrics": metrics,
        "params": {"lr": "0.1", "same": "1"},
        "tags": {},
    }


JOB = {
    "id": "j", "kind": "notebook", "name": "j", "state": "failed", "experiment": "churn",
    "compute": "local", "parameters": {}, "tags": {}, "path": "j.ipynb", "root": "/",
    "created_at": "2026-11-21T14:05:00Z",
}  # fmt: skip
RUNS = {"a": run("a", auc=0.9, loss="NaN"), "b": run("b", auc=0.8, loss=0.2)}
SERIES = {"key": "auc", "points": 2, "steps": [0, 1], "times": [0, 1], "values": [0.5, "NaN"]}


class FakeHub:
    """The routes that widgets use, and a stream that says what it is told to say."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.said = threading.Condition()
        self.messages: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(None)

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"] or 0)
                self._answer(json.loads(self.rfile.read(length) or "null"))

            def _answer(self, body: Any) -> None:
                path = self.path.partition("?")[0].removeprefix("/api")
                if path == "/events":
                    self._stream()
                    return
                hub.asked.append((path, body))
                content = json.dumps(hub.answer(path, body)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def _stream(self) -> None:
                self.send_response(200)
                self.end_headers()
                told = 0
                while True:
                    with hub.said:
                        hub.said.wait_for(lambda told=told: len(hub.messages) > told, 0.2)
                        fresh, told = hub.messages[told:], len(hub.messages)
                    try:
                        self.wfile.write("".join(fresh or [": \n\n"]).encode())
                    except OSError:
                        return

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path: str, body: Any) -> Any:
        match path.split("/")[1:]:
            case ["jobs"]:
                return []
            case ["jobs", *_]:
                return JOB
            case ["experiments"]:
                return [EXPERIMENT]
            case ["experiments", "columns"]:
                return COLUMNS
            case ["runs", "search"]:
                return {"total": 40, "running": 0, "offset": 0, "runs": list(RUNS.values())}
            case ["runs", "history"]:
                return [{"run_id": each, "series": [SERIES]} for each in body["run_ids"]]
            case ["runs", run_id]:
                return RUNS[run_id] | {"experiment_name": "churn"}
        raise AssertionError(path)

    def say(self, event: str, data: Any) -> None:
        with self.said:
            self.messages.append(f"event: {event}\ndata: {json.dumps(data)}\n\n")
            self.said.notify_all()

    def count(self, path: str) -> int:
        return sum(asked == path for asked, _ in self.asked)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    made = FakeHub()
    monkeypatch.setenv("PERIJOVE_HOME", str(tmp_path))
    url = f"http://127.0.0.1:{made.server.server_address[1]}"
    info = HubInfo(
        url=url, tracking_uri=url, token="t", pid=1, start_time=0, boot_id="", version="",
        home=str(tmp_path), workspace="default",
    )  # fmt: skip
    monkeypatch.setattr("perijove.client.http.ensure_hub", lambda _: (info, False))
    monkeypatch.setattr("perijove.client.http.find_hub", lambda _: info)
    monkeypatch.setattr(base, "_code", lambda: "export function render() {}")
    yield made
    for widget in [*Widget.widgets.values()]:
        widget.close()
    made.server.shutdown()
    made.server.server_close()


def test_a_table_asks_anew_when_its_question_changes(hub: FakeHub) -> None:
    table = RunTable("churn", filter="metrics.auc > 0.5")
    assert hub.asked[1][1] == {
        "experiment_ids": ["7"],
        "filter": "metrics.auc > 0.5",
        "order_by": [],
        "limit": 100,
    }
    table.order_by = ["metrics.auc DESC"]
    assert hub.asked[-2][1]["order_by"] == ["metrics.auc DESC"]
    table.selected = ["a"]  # no question
    assert hub.count("/runs/search") == 2
    table.experiment = "nothing"
    assert "There is no experiment" in table.problem
    assert table.data["page"]["total"] == 40  # what was there stays
    with pytest.raises(NotFound, match="nothing"):
        RunTable("nothing")
    RunTable.__new__(RunTable).close()  # as Python does with what was refused
    with pytest.raises(InvalidInput, match="'filter' is no workspace"):
        RunTable("churn", "filter")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="RunTable has no 'order'"):
        RunTable("churn", order=["metrics.auc DESC"])


def test_a_chart_takes_the_name_of_a_metric(hub: FakeHub) -> None:
    assert MetricChart("a", "auc").metrics == ["auc"]
    assert hub.asked[-1][1]["keys"] == ["auc"]
    assert MetricChart(["a"]).metrics is None
    assert hub.asked[-1][1]["keys"] == ["auc", "loss"]


def test_selection_links_to_what_compares(hub: FakeHub) -> None:
    table, comparison = RunTable("churn"), CompareRuns([])
    traitlets.link((table, "selected"), (comparison, "runs"))
    table.selected = ["b", "a"]
    assert [each["run_id"] for each in comparison.data["runs"]] == ["b", "a"]
    wish = hub.asked[-1][1]
    assert wish["run_ids"] == ["b", "a"]
    assert wish["keys"] == ["auc", "loss"]
    comparison.runs = [str(n) for n in range(51)]
    assert "too many" in comparison.problem


def test_widgets_that_are_shown_are_live_over_one_stream(hub: FakeHub) -> None:
    table, view, jobs = RunTable("churn"), RunView("a"), JobTable()
    workspace_live = Live.of(Workspace().client.folder)
    for widget in (table, view, jobs):
        assert not widget.is_live
        widget._repr_mimebundle_()
    assert workspace_live.viewers == 3
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("perijove widgets") == 2
    # each looked when it was made, and looks again when it is shown
    until(lambda: hub.count("/runs/search") == 2 and hub.count("/runs/a") == 2)
    searched, looked = hub.count("/runs/search"), hub.count("/runs/a")
    change = {"experiments": ["7"], "runs": ["z"], "models": [], "everything": False}
    hub.say("tracking", change)
    until(lambda: hub.count("/runs/search") > searched)
    assert hub.count("/runs/a") == looked  # another run's
    hub.say("tracking", change | {"everything": True})
    until(lambda: hub.count("/runs/a") > looked)
    table._on_message(table, {"do": "shown"}, [])
    table._on_message(table, {"do": "hidden"}, [])
    view.close()
    jobs.close()
    assert workspace_live.viewers == 0
    until(lambda: all(thread.name != "perijove widgets" for thread in threading.enumerate()))


def test_a_hub_that_is_away_is_said_and_comes_back(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = RunTable("churn")
    ask = HubClient.request
    is_away = True

    def request(self: HubClient, method: str, path: str, **content: Any) -> Any:
        if is_away:
            raise HubUnreachable("The hub does not answer.", remedy="perijove status")
        return ask(self, method, path, **content)

    monkeypatch.setattr(HubClient, "request", request)
    monkeypatch.setattr("perijove.notebook.widgets.live.RETRY", 0.05)
    table._repr_mimebundle_()
    until(lambda: table.problem)
    assert table.problem == "The hub does not answer. perijove status"
    is_away = False
    hub.say("status", {})
    until(lambda: not table.problem)


def test_what_is_saved_is_html_without_markup_of_users(hub: FakeHub) -> None:
    for widget in (RunTable("churn"), CompareRuns(["a", "b"]), RunView("a"), JobTable()):
        bundle, _ = widget._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in bundle
        assert "<script" not in bundle["text/html"]
        assert "<b>a</b>" not in bundle["text/html"]
    assert "&lt;b&gt;a&lt;/b&gt;" in RunTable("churn").html()
    assert "2 of 40" in RunTable("churn").html()
    assert "<polyline" in RunView("a").html()
    differs = displays.differences(list(RUNS.values()))
    assert "auc" in differs
    assert "same" not in differs
    clash = displays.differences([run("a", lr=1.0), run("b", lr=2.0) | {"params": {"lr": "0.2"}}])
    assert "lr (metric)" in clash
    assert "lr (parameter)" in clash
    assert "lr (metric)" in displays.runs([run("a", lr=1.0)], 1, None)


def test_a_list_of_jobs_acts_and_says_what_it_has_none_of(hub: FakeHub) -> None:
    failed = JobTable(state="failed")
    assert "No failed jobs." in failed.html()
    assert "No jobs yet." in JobTable().html()
    for verb in ("cancel", "rerun"):
        failed.act(verb, {"id": "j"})
        assert hub.asked[-1][0] == f"/jobs/j/{verb}"


def test_a_picture_without_lines_says_why(hub: FakeHub) -> None:
    one = [{"run_id": "a", "series": [SERIES | {"steps": [0], "values": [0.5]}]}]
    assert "<circle" in displays.charts([RUNS["a"]], one)
    assert "No metrics yet." in displays.charts([], [])
    endless = [{"run_id": "a", "series": [SERIES | {"values": ["Infinity", "NaN"]}]}]
    assert "nothing to draw" in displays.charts([RUNS["a"]], endless)
    assert "No differences." in displays.differences([RUNS["a"], RUNS["a"]])


def test_an_experiment_and_a_workspace_show_themselves(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Experiment(id="7", name="<i>churn", description="<b>who leaves", runs=3)._repr_html_()
    assert "&lt;i&gt;churn" in shown
    assert "&lt;b&gt;who leaves" in shown
    targets = [{"name": "<i>local", "kind": "local", "state": "running", "slots": 2,
                "running_jobs": 1, "queued_jobs": 0}]  # fmt: skip
    status = {"tracking_uri": "http://127.0.0.1:1", "jobs": {"failed": 2}, "targets": targets}
    shown = displays.workspace("<b>mine", status)
    assert "&lt;b&gt;mine" in shown
    assert "2 failed" in shown
    assert "&lt;i&gt;local" in shown
    monkeypatch.setenv("PERIJOVE_HOME", str(tmp_path / "none"))
    assert "No hub runs" in Workspace()._repr_html_()
    assert not (tmp_path / "none").exists(), "to look starts nothing"


def test_a_form_is_shown_for_what_can_predict() -> None:
    facts = {"inputs": [{"name": "x", "type": "double"}], "input_example": None}

    class Registry(traitlets.HasTraits):
        data = traitlets.Dict()

    registry = Registry(data={"facts": facts | {"flavors": {"sklearn": {}}}})
    workspace: Any = SimpleNamespace(compute=SimpleNamespace(list=list))
    form = PredictionForm(cast(Any, registry), workspace)
    [said] = form.children
    assert "no python_function flavour" in said.value
    registry.data = {"facts": facts | {"flavors": {}}}
    [said] = form.children
    assert "no model" in said.value
    registry.data = {"facts": facts | {"flavors": {"python_function": {}}}}
    assert form.children[0].children[0].description == "x"


def test_lists_are_tables(hub: FakeHub) -> None:
    data = RegisteredModel.model_validate(
        {"name": "<i>x", "versions": 1, "aliases": [{"alias": "best", "version": "1"}],
         "tags": {"team": "red"}}
    )  # fmt: skip
    listed = Listed([Model(Workspace().client, data)], RegisteredModel, displays.models)
    assert "&lt;i&gt;x" in listed._repr_html_()
    assert "archived" not in listed._repr_html_()
    assert "archived" in displays.models([data.model_dump(mode="json") | {"archived": True}])
    [line] = listed.dataframe()[["name", "aliases", "tags.team"]].to_numpy().tolist()
    assert line == ["<i>x", {"best": "1"}, "red"]
    empty = Listed[Model]([], RegisteredModel, displays.models)
    assert list(empty.dataframe().columns) == list(RegisteredModel.model_fields)


def test_the_code_travels_once(hub: FakeHub) -> None:
    first, second = JobTable(), RunTable("churn")
    assert first._bundle is second._bundle
    assert len(first._esm) < 1500
    Widget.close_all()
    assert JobTable()._bundle is not first._bundle


def test_the_best_are_sorted_by_what_is_wanted(hub: FakeHub) -> None:
    assert best_order(Workspace(), "churn") == ["metrics.auc DESC"]


def test_the_stream_is_parsed() -> None:
    lines = ["event: jobs", "id: 3", "data: [1]", "", ": ", "", "event: status", 'data: {"a": 2}']
    assert [*parse(lines)] == [("jobs", [1]), ("alive", None), ("status", {"a": 2})]


def test_the_package_stays_light() -> None:
    code = "import sys, perijove; sys.exit('ipywidgets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
