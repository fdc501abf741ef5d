"""The gallery in JupyterLab's launcher."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser.conftest import Lab, OpenPage

pytestmark = pytest.mark.browser


def test_a_copy_and_what_it_needs_are_opened(open_page: OpenPage, lab: Lab) -> None:
    (lab.notebooks / "train.ipynb").unlink()  # the sweep needs it
    page = open_page()
    for name in ("sweep.ipynb", "sweep-1.ipynb"):
        page.locator(".jp-LauncherCard:visible", has_text="Gallery").click()
        dialog = page.locator(".jp-Dialog", has_text="Gallery")
        dialog.get_by_text("Sweep by hand").click()
        dialog.get_by_role("button", name="Open a copy").click()
        expect(page.locator(f'.lm-TabBar-tabLabel:text-is("{name}")')).to_be_visible()
        assert (lab.notebooks / name).exists()
        page.keyboard.press("Control+Shift+L")
    assert (lab.notebooks / "train.ipynb").exists()
    assert not (lab.notebooks / "train-1.ipynb").exists()
