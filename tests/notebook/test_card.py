"""The card of a job: what it says, what it makes of hostile text, and how long it lives."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from perijove.client import card
from perijove.client.card import render
from perijove.client.http import HubClient
from perijove.client.jobs import Job
from perijove.models.jobs import Job as JobData
from perijove.models.workspaces import WorkspaceFolder

ID = "0f3c1a52-0000-4000-8000-000000000001"
BEGUN = datetime(2026, 1, 1, 12, tzinfo=UTC)


def job_data(**changes: Any) -> JobData:
    given = {
        "id": ID, "kind": "notebook", "name": "train", "state": "queued", "experiment": "churn",
        "compute": "local", "parameters": {}, "tags": {}, "path": "train.ipynb", "root": "/work",
        "created_at": BEGUN,
    }  # fmt: skip
    return JobData.model_validate(given | changes)


class Page(HTMLParser):
    """What a browser makes of a card: its text, its elements and what is isolated."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.styles: list[str] = []
        self.text = ""
        self.isolated: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.styles += [value or "" for _, value in attrs]
        if tag == "bdi":
            self.isolated.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if "bdi" in self.open:
            self.isolated[-1] += data


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        ({}, ["train", "queued", "local", "experiment churn", ID[:8]], ["cell", " s", "None"]),
        (
            {"state": "running", "progress": {"done": 2, "total": 5}},
            ["running", "cell 2 of 5"],
            ["None"],
        ),
        (
            {
                "state": "succeeded",
                "progress": {"done": 5, "total": 5},
                "started_at": BEGUN,
                "ended_at": BEGUN + timedelta(seconds=3.25),
            },
            ["succeeded", "cell 5 of 5", "3.2 s"],
            ["None"],
        ),
        (
            {
                "state": "failed",
                "message": "cell 2: ZeroDivisionError: division by zero",
                "started_at": BEGUN,
                "ended_at": BEGUN + timedelta(seconds=125),
            },
            ["failed", "cell 2: ZeroDivisionError: division by zero", "2 m 5 s"],
            ["None"],
        ),
        ({"state": "canceled"}, ["canceled"], ["None"]),
    ],
)
def test_the_card_says_how_the_job_is(
    changes: dict[str, Any], said: list[str], unsaid: list[str]
) -> None:
    text = Page(render(job_data(**changes), {})).text
    assert [word for word in said if word not in text] == []
    assert [word for word in unsaid if word in text] == []


def test_success_failure_and_work_have_colours_of_their_own() -> None:
    states = ("succeeded", "failed", "running", "canceled")
    cards = [render(job_data(state=state), {}).replace(state, "") for state in states]
    assert len(set(cards)) == len(states)


@pytest.mark.parametrize(
    ("state", "done", "total", "width"),
    [
        ("queued", 0, 0, "0%"),
        ("running", 1, 4, "25%"),
        ("failed", 1, 4, "25%"),
        ("succeeded", 4, 4, "100%"),
        ("succeeded", 0, 0, "100%"),
    ],
)
def test_the_bar_is_as_long_as_the_cells_that_are_done(
    state: str, done: int, total: int, width: str
) -> None:
    html = render(job_data(state=state, progress={"done": done, "total": total}), {})
    assert f"width:{width};" in html


def test_the_last_metrics_are_shown_with_four_figures() -> None:
    text = Page(render(job_data(), {f"m{i}": i + 1 / 3 for i in range(8)})).text
    assert "m1 " not in text
    assert "m2 2.333 · m3 3.333" in text
    assert "loss NaN" in Page(render(job_data(), {"loss": "NaN"})).text


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "';}</style></div></div><iframe>",
    "&lt;b&gt; &amp;amp;",
    "<!-- ",
    "\u202egnp.exe \u2067 \u200f",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_the_user_s_is_only_text_and_keeps_its_direction_to_itself(text: str) -> None:
    data = job_data(name=text, message=text, experiment=text, compute=text, state="failed")
    page = Page(render(data, {text: 1.5, "value": text}))
    calm = Page(render(job_data(name="n", message="m", state="failed"), {"k": 1.5, "value": "v"}))
    assert page.tags == calm.tags
    assert page.attributes == {"style"}
    assert page.styles == calm.styles
    assert sorted(page.isolated) == sorted([*[text] * 6, "value"])
    assert page.text.count(text) == 6


@dataclass
class Step:
    """An event, and how the job is when it comes; without an event the connection breaks."""

    type: str | None
    data: dict[str, Any] = field(default_factory=dict)
    job: dict[str, Any] = field(default_factory=dict)


class ScriptedHub(HubClient):
    """The real client, talking to a hub that plays steps."""

    def __init__(self, *steps: Step) -> None:
        super().__init__(WorkspaceFolder(Path("/nonexistent"), "default"), start=False)
        self.steps = list(steps)
        self.job: dict[str, Any] = {}
        self.asked: list[int] = []
        self.deleted = False

    def _connect(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self.serve), base_url="http://hub")

    def serve(self, request: httpx.Request) -> httpx.Response:
        if self.deleted:
            return httpx.Response(404, json={"error": {"code": "not_found", "message": "gone"}})
        if request.url.path.endswith("/events"):
            self.asked.append(int(request.url.params["after"]))
            return httpx.Response(200, content=self.play(self.asked[-1]))
        return httpx.Response(200, content=job_data(**self.job).model_dump_json())

    def play(self, after: int) -> Iterator[bytes]:
        seq = 0
        for step in list(self.steps):
            if step.type is None:
                self.steps.remove(step)
                raise httpx.ReadError("the hub was killed")
            seq += 1
            if seq <= after:
                continue
            self.job |= step.job
            if step.job.get("deleted"):
                self.deleted = True
                return
            event = {"seq": seq, "time": BEGUN, "type": step.type, "data": step.data}
            event |= {"job_id": ID, "attempt": 1}
            yield json.dumps(event, default=str).encode() + b"\n"


class NotebookShell(InteractiveShell):
    """A shell with a front end, as a kernel's is."""

    kernel = object()


CONFIG = Config({"HistoryManager": {"enabled": False}})


@pytest.fixture
def displayed() -> Iterator[list[dict[str, Any]]]:
    """What a notebook's front end is told."""
    shell = NotebookShell.instance(config=CONFIG)
    shell.display_pub = CapturingDisplayPublisher()
    yield shell.display_pub.outputs
    NotebookShell.clear_instance()


Show = Callable[..., ScriptedHub]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    """Show a job whose hub plays the steps, up to the end of its card's thread."""

    def play(*steps: Step, **job: Any) -> ScriptedHub:
        hub = ScriptedHub(*steps)
        hub.job |= job
        monkeypatch.setattr(card, "HubClient", lambda folder: hub)
        Job(hub, job_data(**job))._ipython_display_()
        for thread in followers():
            thread.join(30)
        assert followers() == []
        return hub

    return play


def followers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "job card"]


def life(end: str, **more: Any) -> list[Step]:
    return [
        Step("state", {"state": "running"}, {"state": "running"}),
        Step("log", {"stream": "stdout", "text": "talk"}),
        Step("metric", {"key": "auc", "value": 0.875, "step": 0, "timestamp": 0}),
        Step("cell_finished", {"index": 0}, {"progress": {"done": 1, "total": 2}}),
        Step("state", {"state": end}, {"state": end, **more}),
        Step("recorded", {"run_id": "r"}, {"recorded": True, "run_id": "r"}),
    ]


@pytest.mark.parametrize(
    ("end", "message"),
    [("succeeded", None), ("failed", "cell 2: ValueError: <b>no</b>"), ("canceled", None)],
)
def test_the_card_follows_the_job_to_its_end(
    displayed: list[dict[str, Any]], show: Show, end: str, message: str | None
) -> None:
    hub = show(*life(end, message=message))
    assert hub.asked == [0]
    first, *updates = displayed
    assert not first["update"]
    assert "queued" in Page(first["data"]["text/html"]).text
    assert len(updates) == 5, "the log is no reason to draw"
    assert all(update["update"] for update in updates)
    assert {output["transient"]["display_id"] for output in displayed} == {
        first["transient"]["display_id"]
    }
    pages = [Page(update["data"]["text/html"]).text for update in updates]
    assert "running" in pages[0]
    assert "auc 0.875" in pages[1]
    assert "cell 1 of 2" in pages[2]
    assert end in pages[-1]
    assert (message or "") in pages[-1]
    assert "auc 0.875" in pages[-1]
    assert updates[-1]["data"]["text/plain"] == f"Job('{ID}', name='train', state='{end}')"


@pytest.mark.parametrize("place", range(6))
def test_the_card_goes_on_after_the_hub_was_away(
    displayed: list[dict[str, Any]], show: Show, place: int
) -> None:
    steps = life("succeeded")
    hub = show(*steps[:place], Step(None), *steps[place:])
    assert hub.asked == [0, place]
    assert len(displayed) == 6
    assert "succeeded" in Page(displayed[-1]["data"]["text/html"]).text


def test_the_card_of_a_job_that_is_over_is_drawn_once(
    displayed: list[dict[str, Any]], show: Show
) -> None:
    hub = show(state="succeeded", recorded=True)
    assert [output["update"] for output in displayed] == [False]
    assert hub.asked == []


def test_the_card_of_a_job_that_is_deleted_ends_without_a_word(
    displayed: list[dict[str, Any]], show: Show, capsys: pytest.CaptureFixture[str]
) -> None:
    show(*life("succeeded")[:1], Step("state", job={"deleted": True}))
    assert "running" in Page(displayed[-1]["data"]["text/html"]).text
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("terminal", [True, False])
def test_without_a_front_end_the_job_is_printed_in_plain_text(
    show: Show, capsys: pytest.CaptureFixture[str], terminal: bool
) -> None:
    if terminal:
        InteractiveShell.instance(config=CONFIG)
    try:
        hub = show(*life("succeeded"))
    finally:
        InteractiveShell.clear_instance()
    assert capsys.readouterr() == (f"Job('{ID}', name='train', state='queued')\n", "")
    assert hub.asked == []
