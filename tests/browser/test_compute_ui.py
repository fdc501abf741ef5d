"""What a user does with compute targets in JupyterLab."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.conftest import Lab, OpenPage, drawn, palette, reload, show
from browser.test_jobs_ui import run_on
from conftest import perijove

pytestmark = pytest.mark.browser

NODE = "tr[data-node]"
FORM = ".jp-perijove-form"
SUBMIT = f"{FORM} button[type=submit]"
TREE = '[role=tree][aria-label="Compute"]'
"""The panel's list of compute targets."""


def row(page: Page, name: str) -> Locator:
    return page.locator(f'.jp-perijove-row[data-target="{name}"]')


def field(page: Page, label: str) -> Locator:
    named = page.locator(".jp-perijove-field").filter(has=page.get_by_text(label, exact=True))
    return named.locator("input")


def pill(page: Page) -> Locator:
    return page.locator(".jp-perijove-document:visible .jp-perijove-pill")


def tab(page: Page, label: str) -> Locator:
    return page.locator(f".jp-perijove-tabs:visible button:has-text('{label}')")


def button(page: Page, label: str) -> Locator:
    return page.locator(f".jp-perijove-document:visible .jp-Button:has-text('{label}')")


def test_a_cluster_from_its_first_node_to_its_end(open_page: OpenPage, lab: Lab) -> None:
    page = open_page()
    show(page, "perijove-panel")
    expect(row(page, "local")).to_contain_text("slots")
    page.click(".jp-perijove-more")
    page.get_by_text("Training cluster").click()
    page.click(SUBMIT)

    # what can be seen to be wrong is said at once
    field(page, "Min nodes").fill("3")
    expect(page.locator(".jp-perijove-error")).to_have_text("not less than the minimum")
    expect(page.locator(SUBMIT)).to_be_disabled()
    field(page, "Min nodes").fill("0")
    field(page, "Name").fill("Local")
    expect(page.locator(".jp-perijove-error")).to_have_text("there is one of this name already")
    expect(page.locator(SUBMIT)).to_be_disabled()
    expect(field(page, "Name")).to_have_attribute("aria-invalid", "true")
    field(page, "Name").fill("train")
    page.click(SUBMIT)
    expect(page.locator(FORM)).to_have_count(0)
    expect(row(page, "train")).to_contain_text("no nodes up")

    # a job brings a node
    row(page, "train").click()
    expect(pill(page)).to_have_text("running")
    tab(page, "Nodes").click()
    expect(page.locator(".jp-perijove-document")).to_contain_text("It has no nodes now.")
    run_on(page, "slow.ipynb")
    choice = page.locator(f"{FORM} select").first
    expect(choice.locator("option[value=train]")).to_contain_text("2 of 2 slots free")
    choice.select_option("train")
    page.click(f"{FORM} summary")
    field(page, "CPUs").fill("64")
    page.click(SUBMIT)
    expect(page.locator(".jp-perijove-error")).to_contain_text("64")
    field(page, "CPUs").fill("1")
    page.click(SUBMIT)
    page.wait_for_selector(".jp-perijove-document:visible .jp-perijove-notebook")
    show(page, "perijove-panel")
    row(page, "train").click()
    expect(page.locator(NODE)).to_have_count(1)
    expect(page.locator(NODE)).to_contain_text("running")
    expect(page.locator(f"{NODE} .jp-perijove-joblink")).to_have_text("slow")
    expect(page.locator(f"{NODE} .jp-mod-line").first).to_be_attached()
    expect(row(page, "train")).to_contain_text("1 of 1 busy")
    expect(row(page, "train").locator("i.jp-mod-busy")).to_have_count(1)

    # the tabs
    tab(page, "Jobs").click()
    expect(page.locator(".jp-perijove-table:visible")).to_contain_text("slow")
    tab(page, "Log").click()
    expect(page.locator(".jp-perijove-log:visible")).to_contain_text("Scaling from 0 to 1")
    tab(page, "Overview").click()
    expect(page.locator(".jp-perijove-metrics:visible figure")).to_have_count(3)
    expect(page.locator(".jp-perijove-document:visible")).to_contain_text("Dask scheduler")
    tab(page, "Nodes").click()

    # other limits
    button(page, "Scale…").click()
    field(page, "Min nodes").fill("2")
    page.click(SUBMIT)
    expect(page.locator(NODE)).to_have_count(2)
    expect(page.locator(".jp-perijove-facts:visible")).to_contain_text("2 to 2")

    # the job is in the way of the end, and the document goes with its target
    button(page, "Delete…").click()
    expect(page.locator(".jp-Dialog")).to_contain_text("1 job of it is canceled")
    page.click(".jp-Dialog button:has-text('Cancel jobs and delete')")
    expect(row(page, "train")).to_have_count(0, timeout=60_000)
    expect(page.locator(".jp-perijove-document:visible")).to_contain_text("was deleted")
    done = perijove("job", "list", "--limit", "1", "--json", home=lab.home)
    assert json.loads(done.stdout)[0]["state"] == "canceled"


def test_stop_and_start_from_the_keyboard_the_menu_and_the_running_panel(
    open_page: OpenPage, lab: Lab
) -> None:
    made = perijove("compute", "create", "keys", "--max-nodes", "1", "--json", home=lab.home)
    assert made.returncode == 0, made.stderr
    page = open_page()
    show(page, "perijove-panel")
    page.locator(TREE).press("Home")
    expect(row(page, "local")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(row(page, "keys")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(pill(page)).to_have_text("running")

    show(page, "jp-running-sessions")
    item = page.locator("#jp-running-sessions .jp-RunningSessions-item", has_text="no nodes up")
    item.hover()
    item.locator(".jp-RunningSessions-itemShutdown").click()
    expect(pill(page)).to_have_text("stopped")
    expect(item).to_have_count(0)

    # a job for it waits until it is started
    path = str(lab.notebooks / "failing.ipynb")
    perijove("job", "submit", path, "--compute", "keys", "--json", home=lab.home)
    show(page, "perijove-panel")
    expect(row(page, "keys")).to_contain_text("stopped · 1 queued")
    row(page, "keys").click(button="right")
    page.click(".lm-Menu-item:has-text('Start')")
    expect(pill(page)).to_have_text("running")
    failed = page.locator(".jp-perijove-row[data-job-id]", has_text="failing")
    expect(failed).to_contain_text("error in cell 2", timeout=60_000)

    # the palette means the document in front
    reload(page, lambda layout: layout["main"]["current"] == "perijove-compute:keys")
    expect(page.locator(".jp-perijove-document h1")).to_have_text("keys", timeout=60_000)
    expect(pill(page)).to_have_text("running")
    page.click(".jp-perijove-document h1")
    palette(page, "Delete compute target")
    page.click(".jp-Dialog button:has-text('Delete')")
    expect(page.locator(".jp-perijove-document")).to_contain_text("was deleted")


STREAM = """
const real = window.fetch;
window.fetch = (input, init) => {
  const url = typeof input === 'string' ? input : input.url;
  if (!url.includes('/perijove/events')) {
    return real(input, init);
  }
  const text = %s;
  const body = new ReadableStream({
    start: stream => stream.enqueue(new TextEncoder().encode(text))
  });
  return Promise.resolve(new Response(body, { status: 200 }));
};
"""


def _target(name: str, **more: object) -> dict[str, object]:
    plain = {
        "kind": "cluster",
        "on": "local",
        "state": "running",
        "slots": 4,
        "current_nodes": 0,
        "busy_nodes": 0,
        "target_nodes": 0,
        "min_nodes": 0,
        "max_nodes": 4,
        "running_jobs": 0,
        "queued_jobs": 0,
        "node_hours": 0,
        "properties": {},
    }
    return {"name": name} | plain | more


TARGETS = [
    _target("local", kind="local", slots=2, running_jobs=1),
    _target(
        "batch",
        on="slurm",
        current_nodes=31,
        busy_nodes=25,
        target_nodes=36,
        max_nodes=48,
        queued_jobs=112,
        node_hours=211.5,
    ),
    _target("broken", state="failed", message="The cluster broken did not come up: disk full."),
    _target("gpu-box", kind="instance", on="ssh", current_nodes=1, target_nodes=1, max_nodes=1),
    _target("new", state="creating"),
    _target("resting", state="stopped", queued_jobs=2, node_hours=1.25),
]


def test_every_state_has_its_look(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(dark=True)
    told = f"event: compute\ndata: {json.dumps(TARGETS)}\n\nevent: jobs\nid: 1\ndata: []\n\n"
    page.add_init_script(STREAM % json.dumps(told))
    page.reload()
    drawn(page)
    show(page, "perijove-panel")
    expect(row(page, "batch")).to_contain_text("31 of 36 up · 112 queued · 211.5 node-h")
    expect(row(page, "batch").locator(".jp-perijove-nodes.jp-mod-solid")).to_be_visible()
    expect(row(page, "broken").locator(".jp-perijove-dot")).to_have_attribute(
        "aria-label", "failed"
    )
    expect(row(page, "gpu-box")).to_contain_text("instance · ssh")
    expect(row(page, "new").locator("button")).to_have_count(0)
    expect(row(page, "resting").locator("button")).to_have_attribute("title", "Start resting")
    row(page, "broken").click()
    expect(page.locator(".jp-perijove-banner")).to_contain_text("disk full")
    expect(button(page, "Start")).to_be_enabled()
    page.screenshot(path=tmp_path / "states.png")
    page.set_viewport_size({"width": 640, "height": 600})
    page.wait_for_timeout(300)
    page.screenshot(path=tmp_path / "states-narrow.png")
