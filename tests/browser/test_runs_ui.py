"""What a user does with experiments and runs in JupyterLab."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from playwright.sync_api import Locator, Page, expect

from browser.conftest import Lab, OpenPage, drawn, show
from conftest import perijove

pytestmark = pytest.mark.browser

ROW = ".jp-perijove-grid-row[data-run-id]"
DOCUMENT = ".jp-perijove-document:visible"
FILTER = f"{DOCUMENT} .jp-perijove-filterbar input"


@pytest.fixture(scope="module")
def mlflow(lab: Lab) -> Iterator[MlflowClient]:
    """MLflow's own client of the hub's server."""
    up = json.loads(perijove("up", "--json", home=lab.home).stdout)
    os.environ["MLFLOW_TRACKING_TOKEN"] = up["token"]
    yield MlflowClient(up["tracking_uri"])
    del os.environ["MLFLOW_TRACKING_TOKEN"]


def filled(mlflow: MlflowClient, name: str, count: int = 6) -> tuple[str, list[str]]:
    """An experiment with runs, the later the better."""
    experiment = mlflow.create_experiment(name)
    made = []
    for n in range(count):
        run = mlflow.create_run(experiment, run_name=f"{name}-{n}", tags={"owner": "ana"})
        points = [
            Metric("auc", 0.8 + 0.01 * n - 0.5 / (step + 2), 1000 * step, step)
            for step in range(40)
        ]
        params = [Param("depth", str(n % 3)), Param("seed", "7")]
        mlflow.log_batch(run.info.run_id, metrics=points, params=params)
        mlflow.set_terminated(run.info.run_id)
        made.append(run.info.run_id)
    return experiment, made


def open_runs(page: Page, name: str) -> None:
    show(page, "perijove-panel")
    page.locator(".jp-perijove-row[data-experiment-id]", has_text=name).click()
    page.wait_for_selector(f"{DOCUMENT} {ROW}")


def names(page: Page) -> Locator:
    return page.locator(f"{DOCUMENT} {ROW} .jp-perijove-runlink")


def tab(page: Page, label: str) -> None:
    page.locator(f"{DOCUMENT} .jp-perijove-tabs button", has_text=label).click()


def press(page: Page, label: str) -> None:
    page.locator(f"{DOCUMENT} button", has_text=label).first.click()


def choose(page: Page, *numbers: int) -> None:
    for number in numbers:
        page.locator(f"{DOCUMENT} {ROW} input[type=checkbox]").nth(number).click()


def test_from_an_experiment_to_a_comparison(
    open_page: OpenPage, lab: Lab, mlflow: MlflowClient
) -> None:
    experiment, _ = filled(mlflow, "churn")
    page = open_page()
    open_runs(page, "churn")
    expect(names(page)).to_have_count(6)
    expect(names(page).first).to_have_text("churn-5")

    # moved, sorted, filtered with completion, refused
    page.locator(f'{DOCUMENT} [data-column="params.depth"]').press("Shift+ArrowLeft")
    expect(page.locator(f"{DOCUMENT} [role=columnheader]").nth(3)).to_have_text("depth")
    page.click(f'{DOCUMENT} [data-column="metrics.auc"]')
    page.click(f'{DOCUMENT} [data-column="metrics.auc"]')
    expect(names(page).first).to_have_text("churn-0")
    page.click(FILTER)
    page.locator(FILTER).type("dep")
    page.keyboard.press("Tab")
    expect(page.locator(FILTER)).to_have_value("params.depth ")
    page.locator(FILTER).type("= '1'")
    page.keyboard.press("Enter")
    expect(names(page)).to_have_text(["churn-1", "churn-4"])
    page.locator(FILTER).fill("metrics.auc >> 1")
    page.keyboard.press("Enter")
    expect(page.locator(f"{DOCUMENT} .jp-perijove-error")).to_contain_text(">>")
    expect(names(page)).to_have_count(2)
    page.locator(FILTER).fill("")
    expect(names(page)).to_have_count(6)

    # what somebody else does is seen
    run = mlflow.create_run(experiment, run_name="late")
    mlflow.log_metric(run.info.run_id, "auc", 0.1)
    expect(names(page).first).to_have_text("late")
    expect(page.locator(f"{DOCUMENT} .jp-perijove-title")).to_contain_text("7 runs · 1 running")

    # names and tags in place, delete and undo
    page.locator(f"{DOCUMENT} {ROW}").first.click(position={"x": 300, "y": 14})
    page.locator(f"{DOCUMENT} .jp-perijove-grid").press("F2")
    page.locator(".jp-perijove-edit").fill("renamed")
    page.keyboard.press("Enter")
    expect(names(page).first).to_have_text("renamed")
    assert mlflow.get_run(run.info.run_id).info.run_name == "renamed"
    choose(page, 0)
    page.locator(".jp-perijove-selection button", has_text="Delete").click()
    expect(names(page)).to_have_count(6)
    page.locator(".Toastify button", has_text="Undo").click()
    expect(names(page)).to_have_count(7)

    # a view has any name that can be shown, and then another; all runs become a file
    press(page, "Views")
    page.get_by_label("Name of this view").fill("auc > 0.8 <b>")
    page.keyboard.press("Enter")
    page.get_by_label("Rename view auc > 0.8 <b>").click()
    page.keyboard.type("Best")
    page.keyboard.press("Enter")
    expect(page.locator(".jp-perijove-views li")).to_have_text(["Best"])
    page.get_by_label("Delete view Best").click()
    expect(page.locator(".jp-perijove-views li")).to_have_count(0)
    page.locator(".Toastify__toast", has_text="View Best").get_by_text("Undo").click()
    press(page, "Views")
    expect(page.locator(".jp-perijove-views li")).to_have_text(["Best"])
    page.keyboard.press("Escape")
    press(page, "Export")
    with page.expect_download() as saved:
        press(page, "Download as CSV")
    assert len(saved.value.path().read_text().splitlines()) == 8

    # the experiment goes, and comes back
    mlflow.delete_experiment(experiment)
    expect(page.locator(f"{DOCUMENT} .jp-perijove-banner")).to_contain_text("churn was deleted")
    press(page, "Restore")
    expect(names(page)).to_have_count(7)

    # charts below, and a document of the comparison
    choose(page, 1, 2, 3)
    expect(page.locator(f"{DOCUMENT} .jp-perijove-pane canvas")).to_be_visible()
    expect(page.locator(f"{DOCUMENT} .jp-perijove-parallel polyline")).to_have_count(3)
    page.locator(".jp-perijove-selection button", has_text="Compare").click()
    expect(page.locator(f"{DOCUMENT} h1")).to_have_text("3 runs")
    tab(page, "Parallel")
    page.get_by_role("slider", name="Upper end of depth").press("ArrowDown")
    expect(page.locator(f"{DOCUMENT} [role=status]")).to_have_text("2 of 3 chosen")
    expect(page.locator(f"{DOCUMENT} polyline.jp-mod-out")).to_have_count(1)
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("slider", name="Upper end of auc")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    expect(page.locator(f"{DOCUMENT} polyline.jp-mod-out")).to_have_count(0)
    tab(page, "Table")
    different = page.locator(f"{DOCUMENT} .jp-mod-different th")
    expect(different).to_have_text(["auc", "depth"])
    tab(page, "Scatter")
    expect(page.locator(f"{DOCUMENT} circle")).to_have_count(3)


def test_a_run(open_page: OpenPage, lab: Lab, mlflow: MlflowClient) -> None:
    _, runs = filled(mlflow, "one", 2)
    mlflow.log_text(runs[1], "epoch,auc\n1,0.5\n", "tables/auc.csv")
    mlflow.log_text(
        runs[1], "<script>try { parent.hostile = 1 } catch {}</script><p>page</p>", "page.html"
    )
    mlflow.log_text(runs[1], '{"cells": "none"}', "tables/none.ipynb")
    page = open_page()
    open_runs(page, "one")
    names(page).first.click()
    expect(page.locator(f"{DOCUMENT} h1")).to_have_text("one-1")
    expect(page.locator(f"{DOCUMENT} .jp-perijove-values").first).to_contain_text("depth")

    # a description in Markdown
    page.click(f"{DOCUMENT} [aria-label='Edit the description']")
    page.locator(f"{DOCUMENT} textarea").fill("# Good\nIt *is*.")
    press(page, "Save")
    expect(page.locator(f"{DOCUMENT} .jp-RenderedMarkdown h1")).to_contain_text("Good")
    assert mlflow.get_run(runs[1]).data.tags["mlflow.note.content"] == "# Good\nIt *is*."

    # charts, with another run over them, as they grow
    tab(page, "Metrics")
    expect(page.locator(f"{DOCUMENT} figure[data-metric=auc] canvas")).to_be_visible()
    expect(page.locator(f"{DOCUMENT} .jp-perijove-controls")).to_contain_text("40 points")
    press(page, "Overlay")
    page.locator(f"{DOCUMENT} .jp-perijove-chooser label", has_text="one-0").click()
    expect(page.locator(f"{DOCUMENT} .jp-perijove-legend")).to_contain_text("one-0")
    mlflow.log_metric(runs[1], "auc", 0.987, step=41)
    expect(page.locator(f"{DOCUMENT} figcaption b")).to_have_text("0.987")

    # files
    tab(page, "Artifacts")
    page.locator(f"{DOCUMENT} [role=treeitem]", has_text="tables").click()
    page.locator(f"{DOCUMENT} [role=treeitem]", has_text="auc.csv").click()
    expect(page.locator(f"{DOCUMENT} .jp-perijove-preview th")).to_have_text(["epoch", "auc"])
    page.locator(f"{DOCUMENT} [role=treeitem]", has_text="none.ipynb").click()
    expect(page.locator(f"{DOCUMENT} [role=alert]")).to_contain_text("not what its name says")
    page.locator(f"{DOCUMENT} [role=treeitem]", has_text="page.html").click()
    frame = page.frame_locator(f"{DOCUMENT} iframe")
    expect(frame.locator("p")).to_have_text("page")
    assert page.evaluate("window.hostile") is None
    tab(page, "Lineage")
    expect(page.locator(f"{DOCUMENT} .jp-perijove-lineage")).to_contain_text("one-1")

    # gone while it is open
    mlflow.delete_run(runs[1])
    expect(page.locator(f"{DOCUMENT} .jp-perijove-banner")).to_contain_text("was deleted")
    press(page, "Restore")
    expect(page.locator(f"{DOCUMENT} .jp-perijove-banner")).to_have_count(0)


def test_many_runs_scroll_and_only_those_seen_are_drawn(
    open_page: OpenPage, lab: Lab, tmp_path: Path
) -> None:
    page = open_page(dark=True)
    page.add_init_script(MANY)
    page.reload()
    drawn(page)
    open_runs(page, "many")
    expect(page.locator(f"{DOCUMENT} .jp-perijove-title")).to_contain_text("12,345 runs")
    page.locator(f"{DOCUMENT} .jp-perijove-grid").press("End")
    expect(names(page).last).to_have_text("run-12344")
    assert page.locator(ROW).count() < 60
    page.screenshot(path=tmp_path / "many-dark.png")
    page.set_viewport_size({"width": 700, "height": 600})
    page.wait_for_timeout(300)
    page.screenshot(path=tmp_path / "many-narrow-dark.png")


RUN: dict[str, Any] = {
    "experiment_id": "9",
    "status": "FINISHED",
    "lifecycle_stage": "active",
    "children": 0,
    "duration": 61.5,
    "started_at": "2026-01-01T00:00:00Z",
    "metrics": {"auc": 0.9},
    "params": {"depth": "8"},
}
MANY = """
const real = window.fetch;
const answer = body => Promise.resolve(new Response(JSON.stringify(body), { status: 200 }));
window.fetch = async (input, init) => {
  const url = typeof input === 'string' ? input : input.url;
  if (url.includes('/perijove/api/experiments/columns')) { return answer([]); }
  if (url.includes('/perijove/api/experiments')) {
    return answer([{ id: '9', name: 'many', lifecycle_stage: 'active', runs: 12345, running: 0 }]);
  }
  if (url.includes('/perijove/api/runs/history')) { return answer([]); }
  if (url.includes('/perijove/api/runs/search')) {
    const { offset = 0, limit = 100 } = JSON.parse(init?.body ?? (await input.clone().text()));
    const count = Math.max(0, Math.min(limit, 12345 - offset));
    const runs = Array.from({ length: count }, (_, n) => ({
      ...RUN, run_id: `r${offset + n}`, name: `run-${offset + n}`
    }));
    return answer({ total: 12345, nested: 0, running: 0, offset, runs });
  }
  return real(input, init);
};
""".replace("RUN", json.dumps(RUN))
