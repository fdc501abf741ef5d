"""Dashboards: two viewers of one page of Voila's, and a tab of JupyterLab."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from browser.conftest import Lab, OpenPage, show
from conftest import perijove, until, write_notebook

pytestmark = pytest.mark.browser


@contextmanager
def served(lab: Lab, name: str, *options: str) -> Iterator[str]:
    """A dashboard from the command line; its address, with the token."""
    words = ["dashboard", name, *options, "--no-browser", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "perijove.cli", *words],
        env=os.environ | {"PERIJOVE_HOME": str(lab.home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = "".join(iter(process.stdout.readline, "}\n")) + "}"
        url = str(json.loads(said)["url"])
        for _ in range(300):
            try:
                assert httpx.get(url.partition("?")[0]).status_code == 302, "it wants a login"
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def asked_hosts(page: Page) -> set[str]:
    """Filled with the hosts that the page asks for something."""
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    return hosts


def lose_one(page: Page, pattern: re.Pattern[str]) -> list[str]:
    """Filled with the address of the first such request, whose connection breaks."""
    lost: list[str] = []

    def answer(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.abort("connectionreset")

    page.route(pattern, answer)
    return lost


def view(browser: Browser, url: str) -> Page:
    page = browser.new_page()
    hosts = asked_hosts(page)
    page.goto(url)
    expect(page.locator(".jp-perijove-figures")).to_contain_text("Succeeded", timeout=60_000)
    assert hosts <= {urlsplit(url).netloc, ""}, "nothing comes from elsewhere"
    return page


def test_two_viewers_see_what_happens_and_each_their_own_choice(lab: Lab, browser: Browser) -> None:
    refused = perijove(
        "dashboard", "model_card", "--model", "nobody", "--json", home=lab.home, timeout=300
    )
    assert refused.returncode == 2
    assert json.loads(refused.stdout)["error"]["field"] == "name"
    with served(lab, "workspace") as url:
        first, second = view(browser, url), view(browser, url)
        expect(first.locator(".jp-perijove-jobs").last).to_have_text("No failed jobs.")
        path = str(lab.notebooks / "failing.ipynb")
        assert perijove("job", "submit", path, "--json", home=lab.home).returncode == 0
        for page in (first, second):
            row = page.locator(".jp-perijove-jobs .jp-perijove-row", has_text="failing")
            expect(row.first).to_contain_text("error in cell 2", timeout=60_000)
        first.get_by_role("tree", name="Jobs").first.focus()
        first.keyboard.press("ArrowDown")
        expect(first.locator(".jp-perijove-card")).to_contain_text("ZeroDivisionError")
        expect(second.locator(".jp-perijove-card")).to_have_count(0)
        # the kernel of a page ends with it, and not only when it has been idle for long
        config = json.loads(first.locator("#jupyter-config-data").text_content() or "")
        kernel = url.replace("/?", f"/api/kernels/{config['kernelId']}?")
        assert httpx.get(kernel).status_code == 200
        first.goto("about:blank")
        until(lambda: httpx.get(kernel).status_code == 404, seconds=60)
        first.close()
        second.close()


def test_the_leaderboard_opens_in_a_tab(lab: Lab, open_page: OpenPage) -> None:
    path = str(lab.notebooks / "train.ipynb")
    options = ("--experiment", "board", "--wait", "--json")
    assert perijove("job", "submit", path, *options, home=lab.home).returncode == 0
    page = open_page()
    hosts = asked_hosts(page)
    lost = lose_one(page, re.compile(r"/voila/static/\d+\.voila\.js"))
    row = page.locator(".jp-perijove-row[data-experiment-id]", has_text="board")
    if not row.is_visible():
        page.click('.jp-SideBar .lm-TabBar-tab[data-id="perijove-panel"]')
    row.click(button="right")
    page.locator(".lm-Menu-item", has_text="Open dashboard (leaderboard)").click()
    frame = page.frame_locator(".jp-perijove-dashboard iframe")
    table = frame.locator(".jp-perijove-run-table").first
    expect(table.locator("tbody tr[aria-selected=true]")).to_have_count(1, timeout=90_000)
    expect(frame.locator(".jp-perijove-charts, .jp-perijove-hint").first).to_be_visible()
    assert lost, "a page that lost a script has loaded again"
    assert hosts <= {urlsplit(lab.url).netloc, ""}


def describe(lab: Lab, model: str, description: str) -> None:
    """As any client of MLflow's may."""
    up = json.loads(perijove("up", "--json", home=lab.home).stdout)
    httpx.patch(
        f"{up['tracking_uri']}/api/2.0/mlflow/registered-models/update",
        json={"name": model, "description": description},
        headers={"Authorization": f"Bearer {up['token']}"},
    ).raise_for_status()


TRAIN = """import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

data = load_iris(as_frame=True)
with mlflow.start_run():
    model = LogisticRegression(max_iter=500).fit(data.data, data.target)
    mlflow.sklearn.log_model(
        model, name="model", input_example=data.data[:2], registered_model_name="iris"
    )"""
HOSTILE = """Tells **irises** apart. [harm](javascript:window.harmed=1) ![far](https://example.org/a.png)
<img src="https://example.org/b.png" onerror="window.harmed=1"><script>window.harmed=1</script>
<iframe src="https://example.org/c"></iframe><style>body { display: none }</style>
<a href="javascript:window.harmed=1" onclick="window.harmed=1" style="position:fixed">harm</a>
<svg onload="window.harmed=1"></svg><form action="https://example.org/d"><input></form>"""


def test_a_prediction_is_tried_in_a_job(lab: Lab, open_page: OpenPage) -> None:
    path = write_notebook(lab.notebooks / "iris.ipynb", TRAIN)
    assert perijove("job", "submit", str(path), "--wait", "--json", home=lab.home).returncode == 0
    describe(lab, "iris", HOSTILE)
    page = open_page()
    hosts = asked_hosts(page)
    show(page, "perijove-panel")
    page.locator('.jp-perijove-row[data-model-name="iris"]').click(button="right")
    page.locator(".lm-Menu-item", has_text="Open dashboard (model card)").click()
    frame = page.frame_locator(".jp-perijove-dashboard iframe")
    predict = frame.get_by_role("button", name="Predict")
    expect(predict).to_be_visible(timeout=90_000)
    about = frame.locator(".jp-perijove-prose")
    expect(about.locator("strong")).to_have_text("irises")
    for link in about.locator("a").all():
        link.dispatch_event("click")
    harmful = "script, iframe, style, svg, form, input, [style], [onerror], [onclick], [href^=java]"
    expect(about.locator(harmful)).to_have_count(0)
    assert about.evaluate("() => window.harmed") is None
    assert hosts <= {urlsplit(lab.url).netloc, ""}
    first = frame.get_by_label("sepal length (cm)")
    expect(first).to_have_value("5.1")
    first.fill("wide")
    predict.click()
    expect(frame.get_by_text("sepal length (cm) must be a number")).to_be_visible()
    first.fill("6.3")
    predict.click()
    expect(frame.locator("table", has_text="prediction").locator("td")).to_have_text(
        "0", timeout=60_000
    )
    jobs = json.loads(perijove("job", "list", "--json", home=lab.home).stdout)
    assert jobs[0]["name"] == "predict with iris"
