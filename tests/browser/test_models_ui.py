"""What a user does with registered models in JupyterLab."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.conftest import Lab, OpenPage, show
from browser.test_compute_ui import FORM, SUBMIT, button, tab
from conftest import perijove
from tracking.registry import FILES, Bench

pytestmark = pytest.mark.browser

BADGES = ".jp-perijove-title .jp-perijove-badges"


def field(page: Page, label: str) -> Locator:
    named = page.locator("label", has_text=re.compile(f"^{label}\\b"))
    return page.locator(f"{FORM} .jp-perijove-field", has=named).locator("input")


def row(page: Page, name: str) -> Locator:
    return page.locator(f'.jp-perijove-row[data-model-name="{name}"]')


def version(page: Page, number: int) -> Locator:
    return page.locator(f'tr[data-model-version="{number}"]')


def bench_of(lab: Lab) -> Bench:
    """MLflow, as somebody's training code reaches it."""
    up = json.loads(perijove("up", "--json", home=lab.home).stdout)
    return Bench(up["tracking_uri"], up["token"], None, lab.home)


def train(bench: Bench, auc: float, depth: int) -> str:
    """A run that has logged a model."""
    run_id, root = bench.make_run()
    bench.put(f"{root}/model", FILES)
    values = {"metrics": [{"key": "auc", "value": auc, "timestamp": 2, "step": 1}]}
    values["params"] = [{"key": "depth", "value": str(depth)}]
    bench.call("POST", "runs/log-batch", json={"run_id": run_id} | values)
    return run_id


def test_register_move_compare_and_delete(open_page: OpenPage, lab: Lab, tmp_path: Path) -> None:
    bench = bench_of(lab)
    runs = [train(bench, 0.81, 4), train(bench, 0.92, 8)]
    page = open_page()
    show(page, "perijove-panel")
    models = page.locator(".jp-perijove-section").last
    expect(models).to_contain_text("None yet")

    # from outside: a file of no framework, then from a run, which the hub finds missing first
    page.locator("jp-button[title='Register model…']").click()
    (tmp_path / "weights.bin").write_bytes(b"\0" * 2000)
    page.locator(f"{FORM} input[type=file]").first.set_input_files(tmp_path / "weights.bin")
    field(page, "Name").fill("churn/x")
    page.click(SUBMIT)
    expect(page.locator(".jp-perijove-error")).to_contain_text("must not contain /")
    field(page, "Name").fill("churn")
    page.click(SUBMIT)
    expect(page.locator(FORM)).to_have_count(0)
    expect(tab(page, "Version 1")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".jp-perijove-banner.jp-mod-warn")).to_contain_text("no MLmodel")
    expect(row(page, "churn")).to_contain_text("v1")

    for run_id in runs:
        button(page, "Register version").click()
        expect(field(page, "Name")).to_be_focused()
        field(page, "Run").fill(run_id)
        field(page, "Logged as").fill("model")
        page.click(SUBMIT)
        expect(page.locator(FORM)).to_have_count(0)
    expect(tab(page, "Version 3")).to_be_visible()
    document = page.locator(".jp-perijove-document:visible")
    # a hostile name in a signature is text
    expect(document).to_contain_text("<b>age</b>")
    expect(document).to_contain_text("scikit-learn==1.7")
    expect(document).to_contain_text('mlflow.sklearn.load_model("models:/churn/3")')
    expect(document.locator(".jp-perijove-lineage")).to_contain_text("trained")
    document.get_by_text("input_example.json").click()
    expect(document.locator(".jp-perijove-preview")).to_contain_text("33")

    # an alias, with its reason; another tab that still shows the old state is told
    other = open_page()
    show(other, "perijove-panel")
    row(other, "churn").click()
    tab(other, "Versions").click()
    tab(page, "Versions").click()
    button(other, "Set alias").click()
    expect(other.locator(FORM)).to_contain_text("There is none of this name yet")
    button(page, "Set alias").click()
    # the dialog gives it the focus, which would take what is typed elsewhere
    expect(field(page, "Alias")).to_be_focused()
    page.locator(f"{FORM} textarea").fill("best auc")
    page.locator(f"{FORM} select").select_option("3")
    page.click(SUBMIT)
    expect(page.locator(BADGES)).to_contain_text("champion → 3")
    other.locator(f"{FORM} select").select_option("2")
    other.click(SUBMIT)
    expect(other.locator(".jp-perijove-error")).to_contain_text("at version 3 meanwhile (best auc)")
    # the second try starts from there
    expect(other.locator(FORM)).to_contain_text("Points at version 3 now: best auc")
    # the keyboard is still in the form
    expect(other.locator(SUBMIT)).to_be_focused()
    other.keyboard.press("Escape")
    expect(other.locator(FORM)).to_have_count(0)
    expect(other.locator(BADGES)).to_contain_text("champion → 3")
    expect(row(other, "churn")).to_contain_text("champion → 3")
    # its versions are beneath it
    tree = other.locator('[role=tree][aria-label="Models"]')
    tree.press("Home")
    tree.press("ArrowRight")
    children = other.locator("[role=treeitem][data-model-version]")
    expect(children).to_have_text([re.compile(f"^v{number}") for number in (3, 2, 1)])
    expect(children.first).to_contain_text("champion")
    children.nth(1).click()
    expect(tab(other, "Version 2")).to_have_attribute("aria-selected", "true")
    tree.press("ArrowLeft")
    expect(children).to_have_count(0)
    other.close()

    # description, tags and comparison
    document.get_by_label("Edit description").click()
    page.keyboard.type("# Who leaves <img src=x onerror=alert(1)>")
    page.keyboard.press("Control+Enter")
    expect(document.locator("h1", has_text="Who leaves")).to_be_visible()
    page.get_by_text("Add tag").click()
    page.keyboard.type("owner")
    page.keyboard.press("Tab")
    page.keyboard.type("<i>ada</i>")
    page.keyboard.press("Enter")
    expect(document.locator(".jp-perijove-tag")).to_contain_text("owner: <i>ada</i>")
    page.screenshot(path=tmp_path / "versions.png")
    for number in (2, 3):
        version(page, number).locator("input").check()
    tab(page, "Compare").click()
    expect(page.locator(".jp-mod-differs", has_text="depth")).to_contain_text("8")
    expect(page.locator(".jp-mod-best")).to_have_text("0.92")

    # what uses it is said before it is deleted
    tab(page, "Versions").click()
    version(page, 3).press("Enter")
    button(page, "Delete").click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("It is used by: alias champion → version 3")
    dialog.get_by_text("Delete anyway").click()
    expect(page.locator(BADGES)).to_be_empty()
    tab(page, "Versions").click()
    expect(page.locator("tr[data-model-version]")).to_have_count(2)


def test_a_model_is_dragged_into_a_notebook(open_page: OpenPage, lab: Lab) -> None:
    bench = bench_of(lab)
    page = open_page()
    made = perijove(
        *("model", "register", "dragged", "--run", train(bench, 0.9, 3), "--alias", "champion"),
        *("--json",),
        home=lab.home,
    )
    assert made.returncode == 0, made.stderr
    show(page, "perijove-panel")
    # it appears by itself
    expect(row(page, "dragged")).to_contain_text("champion → 1")
    page.locator(".jp-LauncherCard", has_text="Python 3").first.click()
    cell = page.locator(".jp-Notebook:visible .jp-Cell").first
    expect(cell).to_be_visible()
    idle = page.locator(".jp-NotebookPanel:visible .jp-Notebook-ExecutionIndicator")
    expect(idle).to_have_attribute("data-status", "idle")
    start, end = row(page, "dragged").bounding_box(), cell.bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + 40, start["y"] + 15)
    page.mouse.down()
    with page.expect_response("**/model/version/facts?**"):  # its flavour decides on the code
        page.mouse.move(start["x"] + 80, start["y"] + 5, steps=4)
    page.wait_for_timeout(100)
    page.mouse.move(end["x"] + 200, end["y"] + 10, steps=6)
    page.mouse.up()
    notebook = page.locator(".jp-Notebook:visible")
    expect(notebook).to_contain_text('mlflow.sklearn.load_model("models:/dragged@champion")')
