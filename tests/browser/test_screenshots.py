"""The pictures in the README and the review: made by the real thing.

`make screenshots` makes them in both themes, with time for charts to fill; the tests only look that
they can be made, in one theme and at once: what is on them is tested elsewhere.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import NEWS, ROOT, Lab, OpenPage, served, show
from browser.test_jobs_ui import run_on, submit
from conftest import perijove

pytestmark = pytest.mark.browser

IMAGES = ROOT / "docs" / "images"
WANTED = os.environ.get("PERIJOVE_SCREENSHOTS") == "1"
"""Are those of the README to be renewed?"""
THEMES = ("light", "dark") if WANTED else ("light",)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """JupyterLab in a folder whose name is fit to be seen in the documentation."""
    folder = Path(tempfile.mkdtemp(prefix="perijove-"))
    if WANTED:
        folder = folder.rename(folder.with_name("perijove"))
    try:
        with served(folder, "jupyterlab") as made:
            made.setting(NEWS, fetchNews="false", checkForUpdates=False)
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("theme", THEMES)
def test_screenshots(open_page: OpenPage, lab: Lab, theme: str, tmp_path: Path) -> None:
    dark = theme == "dark"
    page = open_page(dark=dark)
    path = str(lab.notebooks / "failing.ipynb")
    perijove("job", "submit", path, "--wait", "--json", home=lab.home)
    run_on(page, "slow.ipynb")
    page.locator(".jp-perijove-field", has_text="depth").locator("input").fill("eight")
    page.screenshot(path=tmp_path / f"form-{theme}.png")
    page.locator(".jp-perijove-field", has_text="depth").locator("input").fill("9")
    submit(page)
    show(page, "perijove-panel")
    running = page.locator(".jp-perijove-cell.jp-mod-running")
    expect(running).to_contain_text("step 15" if WANTED else "step 2", timeout=60_000)
    page.screenshot(path=tmp_path / f"studio-{theme}.png")
    box = page.locator(".jp-perijove-document").bounding_box()
    assert box is not None
    page.set_viewport_size({"width": 760, "height": 700})
    fill(page, 0.5)
    page.screenshot(path=tmp_path / f"narrow-{theme}.png")
    page.set_viewport_size({"width": 1400, "height": 850})
    page.locator(".jp-perijove-row", has_text="failing").first.click()
    failed = page.locator(".jp-perijove-cell.jp-mod-error .jp-OutputArea-output")
    expect(failed.first).to_be_visible()
    page.screenshot(path=tmp_path / f"failed-{theme}.png")
    job = json.loads(perijove("job", "list", "--state", "running", "--json", home=lab.home).stdout)[
        0
    ]
    perijove("job", "cancel", job["id"], "--json", home=lab.home)
    keep(tmp_path)


def test_screenshots_of_compute(open_page: OpenPage, lab: Lab, tmp_path: Path) -> None:
    limits = ("--min-nodes", "1", "--max-nodes", "6")
    made = perijove("compute", "create", "train", *limits, "--json", home=lab.home)
    assert made.returncode == 0, made.stderr
    box = ("--kind", "instance", "--memory", "2GiB")
    assert perijove("compute", "create", "box", *box, home=lab.home).returncode == 0
    path = str(lab.notebooks / "slow.ipynb")
    for target in ("train", "box"):
        perijove("job", "submit", path, "--compute", target, "--json", home=lab.home)
    for theme in THEMES:
        page = open_page(dark=theme == "dark")
        show(page, "perijove-panel")
        page.click('.jp-perijove-row[data-target="train"]')
        page.click(".jp-perijove-tabs:visible button:has-text('Nodes')")
        expect(page.locator("tr[data-node]").first).to_contain_text("slow", timeout=60_000)
        page.click(".jp-perijove-tabs:visible button:has-text('Overview')")
        fill(page, 8)
        page.screenshot(path=tmp_path / f"compute-{theme}.png")
        page.click('.jp-perijove-row[data-target="box"]')
        fill(page, 8)
        page.screenshot(path=tmp_path / f"instance-{theme}.png")
        page.locator("jp-button[title='Create compute…']").click()
        page.click(".jp-perijove-form button[type=submit]")
        page.locator(".jp-perijove-form select").select_option("ssh")
        page.screenshot(path=tmp_path / f"wizard-{theme}.png")
    for target in ("train", "box"):
        assert perijove("compute", "delete", target, "--force", home=lab.home).returncode == 0
    keep(tmp_path)


def test_screenshots_of_the_studio(open_page: OpenPage, lab: Lab, tmp_path: Path) -> None:
    notebook = str(ROOT / "notebooks/gallery/compare.ipynb")
    options = ("-p", "trees=20", "--experiment", "tumours", "--wait", "--json")
    done = perijove("job", "submit", notebook, *options, home=lab.home, timeout=300)
    assert done.returncode == 0, done.stdout
    for theme in THEMES:
        page = open_page(dark=theme == "dark")
        show(page, "perijove-panel")
        page.locator(".jp-perijove-row[data-experiment-id]", has_text="tumours").dblclick()
        rows = page.locator(".jp-perijove-grid-row:not(.jp-mod-missing)")
        rows.first.get_by_label("Show nested runs").click()
        expect(rows).to_have_count(4)
        for row in (1, 2, 3):
            rows.nth(row).locator("input[type=checkbox]").click()
        fill(page, 2)
        page.screenshot(path=tmp_path / f"runs-{theme}.png")
        page.get_by_role("button", name="Compare").first.click()
        expect(page.locator(".jp-perijove-document:visible h1")).to_have_text("3 runs")
        fill(page, 3)
        page.screenshot(path=tmp_path / f"runs-compared-{theme}.png")
        model = page.locator('.jp-perijove-row[data-model-name="tumours"]')
        model.click()
        page.locator("tr[data-model-version]").first.press("Enter")
        expect(page.locator(".jp-perijove-lineage:visible")).to_contain_text("tumours v1")
        page.screenshot(path=tmp_path / f"model-{theme}.png")
        if WANTED:  # it is tested elsewhere, and takes its time
            model.click(button="right")
            page.locator(".lm-Menu-item", has_text="Open dashboard (model card)").click()
            card = page.frame_locator(".jp-perijove-dashboard iframe")
            expect(card.get_by_role("button", name="Predict")).to_be_visible(timeout=90_000)
            fill(page, 1)
            page.screenshot(path=tmp_path / f"dashboard-{theme}.png")
    keep(tmp_path)


def fill(page: Page, seconds: float) -> None:
    """Give charts time for some points."""
    if WANTED:
        page.wait_for_timeout(1000 * seconds)


def keep(folder: Path) -> None:
    """Look that the pictures were made, and renew those of the README when asked to."""
    made = sorted(folder.glob("*.png"))
    for image in made:
        assert image.stat().st_size > 20_000
    if IMAGES.is_dir() and WANTED:
        for image in made:
            (IMAGES / image.name).write_bytes(image.read_bytes())
