"""What a user does with jobs in JupyterLab."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import JOBS, Lab, OpenPage, reload, show
from conftest import perijove

pytestmark = pytest.mark.browser

ROW = ".jp-perijove-row[data-job-id]"
RUN_ON = '.jp-NotebookPanel-toolbar :is(button, jp-button):has-text("Run on…")'


def open_notebook(page: Page, name: str) -> None:
    show(page, "filebrowser")
    page.dblclick(f".jp-DirListing-item >> text={name}")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell")


def run_on(page: Page, name: str) -> None:
    open_notebook(page, name)
    page.locator(RUN_ON).first.click()
    page.wait_for_selector(".jp-perijove-form")


def submit(page: Page) -> None:
    page.click(".jp-perijove-form button[type=submit]")
    page.wait_for_selector(".jp-perijove-document")


def last_job(lab: Lab) -> dict[str, object]:
    done = perijove("job", "list", "--limit", "1", "--json", home=lab.home)
    found: dict[str, object] = json.loads(done.stdout)[0]
    return found


def test_an_empty_panel_explains_the_first_step(open_page: OpenPage) -> None:
    page = open_page()
    show(page, "perijove-panel")
    expect(page.locator(".jp-perijove-empty")).to_contain_text("No jobs yet")
    expect(page.locator(".jp-perijove-empty button")).to_be_visible()


def test_a_notebook_runs_from_the_form_and_is_watched(open_page: OpenPage, lab: Lab) -> None:
    page = open_page()
    run_on(page, "slow.ipynb")
    depth = page.locator(".jp-perijove-field", has_text="depth").locator("input")
    expect(depth).to_have_value("8")
    depth.fill("eight")
    expect(page.locator(".jp-perijove-error")).to_have_text("a whole number, like 8")
    expect(page.locator(".jp-perijove-form button[type=submit]")).to_be_disabled()
    depth.fill("9")
    submit(page)
    document = page.locator(".jp-perijove-document")
    expect(document.locator(".jp-perijove-pill")).to_have_text("running")
    expect(document.locator(".jp-perijove-cell.jp-mod-running")).to_contain_text("step 3")
    expect(document.locator(".jp-perijove-metrics canvas").first).to_be_visible()
    assert last_job(lab)["parameters"] == {"depth": 9}
    page.click(".jp-perijove-tabs button:has-text('Log')")
    log = document.locator(".jp-perijove-log")
    expect(log).to_contain_text("step 3")
    last = log.inner_text().split()[-1]
    expect(log).to_contain_text(f"step {int(last) + 4}\n")
    assert log.inner_text().count("step 3\n") == 1
    show(page, "perijove-panel")
    row = page.locator(ROW).first
    expect(row).to_contain_text("cell 4 of 4")
    row.locator("button").click()
    page.click(".jp-Dialog button:has-text('Cancel the job')")
    expect(document.locator(".jp-perijove-pill")).to_have_text("canceled")
    expect(page.locator(".Toastify, .jp-toastContainer").first).to_contain_text("slow canceled")
    document.locator("button", has_text="Run again…").click()
    page.click(".jp-perijove-form button[type=submit]")
    aside = page.locator(".jp-perijove-document aside:visible", has_text="this run")
    expect(aside).to_contain_text("Against the last runs")
    expect(aside.locator("tr[aria-current]")).to_contain_text("this run")
    expect(aside).to_contain_text("CPU")  # of the node, while it runs
    perijove("job", "cancel", str(last_job(lab)["id"]), "--json", home=lab.home)
    expect(aside).not_to_contain_text("CPU")


def test_a_failed_job_says_where(open_page: OpenPage) -> None:
    page = open_page()
    run_on(page, "failing.ipynb")
    submit(page)
    document = page.locator(".jp-perijove-document")
    expect(document.locator(".jp-perijove-banner")).to_contain_text("cell 2: ZeroDivisionError")
    expect(document.locator(".jp-perijove-cell.jp-mod-error")).to_contain_text("1 / rows")
    expect(document.locator(".jp-perijove-cell.jp-mod-waiting")).to_contain_text("never")
    page.click(".jp-perijove-tabs button:has-text('Files')")
    expect(document.locator(".jp-perijove-files")).to_contain_text("notebook/failing.ipynb")
    page.click(".jp-perijove-tabs button:has-text('Log')")
    expect(document.locator(".jp-perijove-log")).to_contain_text("fine")
    page.click(".jp-perijove-tabs button:has-text('Details')")
    expect(document.locator(".jp-perijove-details")).to_contain_text("failing")


def test_the_keyboard_and_the_filter(open_page: OpenPage) -> None:
    page = open_page()
    show(page, "perijove-panel")
    page.wait_for_selector(ROW)
    filter_box = page.locator(".jp-perijove-filter input")
    filter_box.fill("failing")
    expect(page.locator(ROW)).to_have_count(1)
    filter_box.fill("nothing like it")
    expect(page.locator("#perijove-panel")).to_contain_text("No job matches")
    filter_box.fill("")
    page.locator(JOBS).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator(f"{ROW}.jp-mod-selected")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator(".jp-perijove-document")).to_be_visible()


def test_the_document_is_restored_and_the_stream_survives_the_hub(
    open_page: OpenPage, lab: Lab
) -> None:
    page = open_page()
    run_on(page, "slow.ipynb")
    submit(page)
    document = page.locator(".jp-perijove-document")
    expect(document.locator(".jp-perijove-cell.jp-mod-running")).to_contain_text("step 2")
    show(page, "perijove-panel")
    models = page.locator(".jp-perijove-section").last
    page.locator("#perijove-panel .lm-AccordionPanel-titleLabel", has_text="Models").click()
    expect(models).to_be_hidden()
    hub = json.loads((lab.home / "workspaces/default/hub.json").read_text())
    os.kill(hub["pid"], signal.SIGKILL)
    expect(document.locator(".jp-perijove-cell.jp-mod-running")).to_contain_text(
        "step 30", timeout=60_000
    )
    text = document.locator(".jp-perijove-cell.jp-mod-running .jp-OutputArea-output").inner_text()
    steps = [int(line.split()[1]) for line in text.strip().splitlines()]
    assert steps == list(range(len(steps)))
    job = str(last_job(lab)["id"])

    def as_now(layout: dict[str, Any]) -> bool:
        folds = layout["left"]["widgetStates"]["perijove-panel"]["expansionStates"]
        return layout["main"]["current"] == f"perijove-jobs:{job}" and not folds[-1]

    reload(page, as_now)
    expect(page.locator(".jp-perijove-document h1")).to_have_text("slow", timeout=60_000)
    expect(page.locator("#perijove-panel")).to_be_visible()
    expect(models).to_be_hidden()
    assert perijove("job", "cancel", job, "--json", home=lab.home).returncode == 0


def test_active_jobs_are_in_the_running_panel(open_page: OpenPage, lab: Lab) -> None:
    path = str(lab.notebooks / "slow.ipynb")
    job = json.loads(perijove("job", "submit", path, "--json", home=lab.home).stdout)["id"]
    page = open_page()
    show(page, "jp-running-sessions")
    expect(page.locator("#jp-running-sessions")).to_contain_text("Perijove jobs")
    expect(page.locator("#jp-running-sessions")).to_contain_text("slow")
    perijove("job", "cancel", job, "--json", home=lab.home)


def test_deleting_asks_and_says_what_stays(open_page: OpenPage) -> None:
    page = open_page()
    show(page, "perijove-panel")
    page.wait_for_selector(ROW)
    before = page.locator(ROW).count()
    page.locator(ROW).last.click(button="right")
    page.click(".lm-Menu-item:has-text('Delete…')")
    expect(page.locator(".jp-Dialog")).to_contain_text("Its MLflow run stays")
    page.click(".jp-Dialog button:has-text('Delete')")
    expect(page.locator(ROW)).to_have_count(before - 1)
