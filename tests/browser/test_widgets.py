"""Widgets in a notebook of JupyterLab: live, and two-way."""

from __future__ import annotations

import json

import httpx
import pytest
from playwright.sync_api import Page, expect

from browser.conftest import Lab, OpenPage
from conftest import perijove, write_notebook

pytestmark = pytest.mark.browser

CARD = """import perijove as pj
job = pj.Workspace().jobs.submit("slow.ipynb")
card = pj.widgets.JobCard(job)
card"""


def open_notebook(page: Page, name: str) -> None:
    """Open a notebook from the file browser."""
    page.locator(".jp-DirListing-item", has_text=name).dblclick()
    page.wait_for_selector(".jp-NotebookPanel:visible .jp-Cell")
    # cells that are run before there is a kernel are only cleared
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=60_000)


def run_cells(page: Page, count: int) -> None:
    """Run the first cells."""
    page.locator(".jp-NotebookPanel:visible .jp-Cell .jp-InputPrompt").first.click()
    for _ in range(count):
        page.keyboard.press("Shift+Enter")


def test_a_card_is_live_and_cancels(open_page: OpenPage, lab: Lab) -> None:
    path = lab.notebooks / "widgets.ipynb"
    write_notebook(path, CARD, "pj.widgets.JobTable()", "print('state:', card.state)")
    page = open_page()
    open_notebook(page, "widgets.ipynb")
    run_cells(page, 2)
    card = page.locator(".jp-perijove-card")
    expect(card).to_contain_text("running", timeout=60_000)
    expect(card.locator("figure", has_text="loss").locator("canvas")).to_be_visible()
    row = page.locator(".jp-perijove-widget .jp-perijove-jobs .jp-perijove-row").first
    expect(row).to_contain_text("slow")
    card.locator("button", has_text="Cancel").click()
    expect(card.locator(".jp-perijove-pill")).to_have_text("canceled", timeout=60_000)
    page.locator(".jp-NotebookPanel:visible .jp-Cell").nth(2).locator(".jp-InputPrompt").click()
    page.keyboard.press("Shift+Enter")
    output = page.locator(".jp-NotebookPanel:visible .jp-Cell").nth(2)
    expect(output).to_contain_text("state: canceled")
    listed = json.loads(perijove("job", "list", "--json", home=lab.home).stdout)
    assert listed[0]["state"] == "canceled"
    page.keyboard.press("Control+s")
    page.reload()  # the kernel and its widget are still there
    expect(card.locator(".jp-perijove-pill")).to_have_text("canceled")


def test_without_its_kernel_a_widget_is_as_it_was_last(open_page: OpenPage, lab: Lab) -> None:
    path = str(lab.notebooks / "failing.ipynb")
    perijove("job", "submit", path, "--wait", "--json", home=lab.home)
    write_notebook(lab.notebooks / "kept.ipynb", "import perijove as pj", "pj.widgets.JobTable()")
    page = open_page()
    open_notebook(page, "kept.ipynb")
    run_cells(page, 2)
    shown = ".jp-perijove-widget .jp-perijove-jobs"
    expect(page.locator(shown)).to_contain_text("failing", timeout=60_000)
    page.keyboard.press("Control+s")
    for _ in range(100):
        if "perijove.view" in (lab.notebooks / "kept.ipynb").read_text():
            break
        page.wait_for_timeout(100)
    url = f"{lab.url}/api/sessions"
    for session in httpx.get(url, params={"token": "token"}).json():
        httpx.delete(f"{url}/{session['id']}", params={"token": "token"}).raise_for_status()
    page.close()
    # a kernel that has no such widget
    page = open_page()
    open_notebook(page, "kept.ipynb")
    output = page.locator(".jp-NotebookPanel:visible .jp-OutputArea-output")
    expect(output.locator("table")).to_contain_text("failing")
    expect(output.get_by_text("Error displaying widget")).to_be_hidden()
    # and one that has it once more
    run_cells(page, 2)
    expect(page.locator(shown)).to_contain_text("failing", timeout=60_000)
    expect(output.locator("table").filter(visible=True)).to_have_count(0)
