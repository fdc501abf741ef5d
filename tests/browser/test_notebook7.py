"""Widgets in Notebook 7."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from browser.conftest import served
from conftest import write_notebook

pytest.importorskip("notebook", minversion="7")
pytestmark = pytest.mark.browser

CARD = """import perijove as pj
card = pj.widgets.JobCard(pj.Workspace().jobs.submit("failing.ipynb"))
card"""


def test_a_card_is_live(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> None:
    with served(tmp_path_factory.mktemp("notebook"), "notebook") as server:
        write_notebook(server.notebooks / "widgets.ipynb", CARD)
        page = browser.new_page()
        page.goto(f"{server.url}/notebooks/widgets.ipynb?token=token")
        cell = page.locator(".jp-Notebook .jp-Cell").first
        prompt = cell.locator(".jp-InputPrompt")
        for _ in range(60):  # a cell that is run before there is a kernel is only cleared
            prompt.click()
            page.keyboard.press("Control+Enter")
            page.wait_for_timeout(1000)
            if prompt.inner_text() != "[ ]:":
                break
        shown = cell.locator(".jp-perijove-card")
        expect(shown).to_contain_text("ZeroDivisionError", timeout=90_000)
        page.close()
