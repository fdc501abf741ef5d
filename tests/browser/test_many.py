"""Thousands of jobs in the panel, thousands of cells in a document: what is drawn stays small.

How long frames take is printed (``pytest -s``), not asserted: it is the machine's, too.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import JOBS as LIST
from browser.conftest import Lab, OpenPage, show
from conftest import perijove, write_notebook
from perijove.models.jobs import FailureReason, Job, JobKind, JobState, Progress
from perijove.models.workspaces import WorkspaceFolder
from perijove.store.database import open_database
from perijove.store.jobs import SqlJobStore

pytestmark = pytest.mark.browser

JOBS, CELLS = 5000, 2000
ROW = ".jp-perijove-row[data-job-id]"
CELL = ".jp-perijove-cell"
FRAMES = """() => {
  const frames = (window.frameTimes = []);
  let last = performance.now();
  const tick = now => {
    frames.push(now - last);
    last = now;
    if (window.frameTimes === frames) {
      requestAnimationFrame(tick);
    }
  };
  requestAnimationFrame(tick);
}"""
SCROLL = """([selector, drawn, step]) => new Promise(resolve => {
  const scroller = document.querySelector(selector);
  let most = 0;
  const go = () => {
    most = Math.max(most, scroller.querySelectorAll(drawn).length);
    if (scroller.scrollTop + scroller.clientHeight >= scroller.scrollHeight - 1) {
      resolve(most);
    } else {
      scroller.scrollTop += step;
      requestAnimationFrame(go);
    }
  };
  go();
})"""
"""Scrolls to the end, a step each frame; the most elements there ever were."""


@contextmanager
def frames(page: Page, what: str) -> Iterator[None]:
    """Print how long the page's frames took meanwhile, and how busy its main thread was."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def busy() -> tuple[float, float]:
        metrics = session.send("Performance.getMetrics")["metrics"]
        found = {metric["name"]: metric["value"] for metric in metrics}
        return 1000 * found["TaskDuration"], found["JSHeapUsedSize"] / 1e6

    page.evaluate(FRAMES)
    before, _ = busy()
    yield
    taken = page.evaluate("() => { const f = frameTimes; frameTimes = null; return f }")
    after, heap = busy()
    session.detach()
    slow = sorted(taken)[-max(1, len(taken) // 20)]
    print(
        f"\n{what}: {len(taken)} frames, median {statistics.median(taken):.0f} ms, "
        f"95 % within {slow:.0f} ms, longest {max(taken):.0f} ms; "
        f"busy {after - before:.0f} of {sum(taken):.0f} ms, heap {heap:.0f} MB"
    )


@pytest.fixture(scope="module")
def crowded(lab: Lab) -> Lab:
    """A workspace with many finished jobs; the hub is started by the first page."""
    folder = WorkspaceFolder(lab.home, "default")
    folder.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = SqlJobStore(open_database(folder.database, folder.backups))
    first = datetime.now(UTC) - timedelta(days=30)
    for number in range(JOBS):
        begun = first + timedelta(minutes=5 * number)
        failed = number % 7 == 0
        store.add(
            Job(
                id=str(uuid4()),
                kind=JobKind.NOTEBOOK,
                name=f"train-{number:04}",
                state=JobState.FAILED if failed else JobState.SUCCEEDED,
                reason=FailureReason.USER_ERROR if failed else None,
                message="cell 2: ValueError: no rows" if failed else None,
                experiment="churn",
                compute="local",
                environment="python3",
                parameters={"lr": number / 1000, "depth": number % 9},
                tags={"team": "growth"},
                path=f"models/train-{number:04}.ipynb",
                root=str(lab.notebooks),
                attempt=1,
                progress=Progress(done=4, total=4),
                created_at=begun,
                started_at=begun,
                ended_at=begun + timedelta(seconds=3 + number % 300),
                recorded=True,
            )
        )
    while steps := store.outbox(limit=1000):
        for step in steps:
            store.outbox_done(step)
    store.close()
    return lab


def test_thousands_of_jobs_in_the_panel(crowded: Lab, open_page: OpenPage) -> None:
    page = open_page()
    with frames(page, f"{JOBS} jobs arrive"):
        show(page, "perijove-panel")
        group = page.locator(".jp-perijove-group", has_text="Finished")
        expect(group).to_contain_text(str(JOBS))
    rows = page.locator(ROW)
    expect(rows.first).to_contain_text(f"train-{JOBS - 1:04}")
    with frames(page, "the whole list is scrolled"):
        most = page.evaluate(SCROLL, [LIST, ROW, 600])
    assert 10 < most < 80
    expect(rows.last).to_contain_text("train-0000")
    expect(rows.last).to_be_in_viewport()

    page.locator(LIST).focus()
    with frames(page, "Home, End and arrows"):
        page.keyboard.press("Home")  # the head of the first group
        page.keyboard.press("ArrowDown")
        expect(page.locator(f"{ROW}.jp-mod-selected")).to_contain_text(f"train-{JOBS - 1:04}")
        page.keyboard.press("End")
        selected = page.locator(f"{ROW}.jp-mod-selected")
        expect(selected).to_contain_text("train-0000")
        expect(selected).to_be_in_viewport()
        for _ in range(50):
            page.keyboard.press("ArrowUp")
        expect(selected).to_contain_text("train-0050")
        expect(selected).to_be_in_viewport()
    assert rows.count() < 80

    box = page.locator(".jp-perijove-filter input")
    with frames(page, "a filter is typed"):
        box.press_sequentially("lr train-0123")
        expect(page.locator("#perijove-panel")).to_contain_text("No job matches")
        box.fill("churn train-0123")
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("train-0123")
        box.fill("")
        expect(group).to_contain_text(str(JOBS))

    path = str(crowded.notebooks / "slow.ipynb")
    job = json.loads(perijove("job", "submit", path, "--json", home=crowded.home).stdout)["id"]
    expect(rows.first).to_contain_text("cell 3 of 3")
    perijove("job", "cancel", job, "--json", home=crowded.home)


def test_thousands_of_cells_in_a_document(crowded: Lab, open_page: OpenPage) -> None:
    cells = [f"# cell {number}\nprint({number})" for number in range(1, CELLS)]
    path = write_notebook(crowded.notebooks / "long.ipynb", *cells, "1 / 0")
    job = perijove("job", "submit", str(path), "--wait", "--json", home=crowded.home, timeout=600)
    assert json.loads(job.stdout)["state"] == "failed"
    page = open_page()
    show(page, "perijove-panel")
    row = page.locator(ROW, has_text="long")
    expect(row).to_contain_text(f"cell {CELLS}")
    with frames(page, f"a document of {CELLS} cells is opened"):
        row.click()
        document = page.locator(".jp-perijove-document")
        expect(document.locator(CELL).first).to_contain_text("print(1)")
        expect(document.locator(".jp-perijove-banner")).to_contain_text("ZeroDivisionError")
    drawn = "() => document.querySelectorAll('.jp-perijove-document *').length"
    assert page.evaluate(drawn) < 2000
    with frames(page, "the failed cell is looked up"):
        page.click(".jp-perijove-banner button:has-text('Go to cell')")
        failed = document.locator(f"{CELL}.jp-mod-error")
        expect(failed.locator(".jp-OutputArea-output")).to_contain_text("ZeroDivisionError")
        expect(failed).to_be_in_viewport()
        page.wait_for_timeout(1000)  # and stays there when its neighbours are drawn
        expect(failed).to_be_in_viewport()
    page.evaluate("document.querySelector('.jp-perijove-notebook').scrollTop = 0")
    expect(document.locator(CELL).first).to_be_in_viewport()
    with frames(page, "the whole document is scrolled"):
        most = page.evaluate(SCROLL, [".jp-perijove-notebook", CELL, 600])
    assert most < 200
    expect(failed).to_be_in_viewport()
