"""Runs in JupyterLab against MLflow's own pages on plain MLflow, in one Chromium.

10,000 runs with 10 metrics and 10 parameters; one run with a million points.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from bench import common, filled

if TYPE_CHECKING:
    from playwright.sync_api import Page

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RUNS, POINTS, ROUNDS = 10_000, 100_000, 5
PAINTED = """
async ([click, until]) => {
  const frame = () => new Promise(resolve => requestAnimationFrame(resolve));
  const begun = performance.now();
  document.querySelector(click).click();
  while (!new Function('return ' + until)()) { await frame(); }
  await frame();
  return performance.now() - begun;
}
"""
"""Milliseconds from a click until the page shows what was asked for, in the next frame."""
SCROLL = """
async seconds => {
  const grid = document.querySelector('.jp-perijove-grid');
  const begun = performance.now();
  let frames = 0;
  while (performance.now() - begun < 1000 * seconds) {
    await new Promise(resolve => requestAnimationFrame(resolve));
    const part = (performance.now() - begun) / (1000 * seconds);
    grid.scrollTop = part * (grid.scrollHeight - grid.clientHeight);
    frames++;
  }
  return frames / seconds;
}
"""
"""Frames per second while all runs pass by."""
FIRST = ".jp-perijove-grid-row .jp-perijove-runlink"


def port() -> int:
    """A free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found: int = free.getsockname()[1]
        return found


@contextmanager
def server(command: list[str], url: str, cwd: Path, **environ: str) -> Iterator[None]:
    """A server while it is needed, from when it answers."""
    with (cwd / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=cwd, env=os.environ | environ, stdout=log, stderr=log
        )
    try:
        for _ in range(900):
            try:
                if httpx.get(url).status_code < 500:
                    break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def lab(folder: Path, hub: common.Hub) -> Iterator[Page]:
    """JupyterLab of the hub's workspace, in Chromium."""
    from playwright.sync_api import sync_playwright

    found = port()
    options = f"--no-browser --allow-root --port={found} --IdentityProvider.token=token"
    with (
        server(
            [sys.executable, "-m", "jupyterlab", *options.split()],
            f"http://127.0.0.1:{found}/api/status?token=token",
            folder,
            PERIJOVE_HOME=str(hub.home),
            JUPYTERLAB_SETTINGS_DIR=str(folder / "settings"),
            JUPYTERLAB_WORKSPACES_DIR=str(folder / "workspaces"),
        ),
        sync_playwright() as playwright,
    ):
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        context = browser.new_context(viewport={"width": 1400, "height": 850})
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{found}/lab?token=token&reset")
        page.wait_for_selector(".jp-Launcher", timeout=60_000)
        page.wait_for_timeout(1000)
        yield page
        browser.close()


def heap(page: Page) -> float:
    """Megabytes of JavaScript that are in use in a tab."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used: Any = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    return float(used) / 1e6


def top(database: Path, metric: str) -> str:
    """The name of the run that is best."""
    with sqlite3.connect(database) as connection:
        row = connection.execute(
            "SELECT name FROM runs JOIN latest_metrics USING (run_uuid) WHERE key = ?"
            " ORDER BY value DESC LIMIT 1",
            (metric,),
        ).fetchone()
    return str(row[0])


def theirs(page: Page, base: str, experiment: str, best: str) -> tuple[float, float]:
    """Seconds until MLflow's page shows the newest run, and the best one when it is sorted."""
    page.goto(f"{base}/#/experiments")
    page.get_by_text("many").first.wait_for(timeout=180_000)  # it is loaded and warm now
    took = []
    for query, name in (
        ("", f"run-{RUNS - 1}"),
        ("&orderByKey=metrics.%60metric_3%60&orderByAsc=false", best),
    ):
        page.goto("about:blank")
        begun = time.perf_counter()
        page.goto(f"{base}/#/experiments/{experiment}/runs?viewStateShareKey={query}")
        page.get_by_text(name, exact=True).first.wait_for(timeout=180_000)
        took.append(time.perf_counter() - begun)
    return took[0], took[1]


def ours(page: Page, experiment: str, best: str) -> tuple[float, float, float]:
    """Seconds until the newest runs are painted, and the best one; frames a second."""
    page.click('.jp-SideBar .lm-TabBar-tab[data-id="perijove-panel"]')
    row = f'[data-experiment-id="{experiment}"]'
    page.wait_for_selector(row)

    def until(name: str) -> str:
        return f"document.querySelector('{FIRST}')?.textContent === '{name}'"

    opened = page.evaluate(PAINTED, [row, until(f"run-{RUNS - 1}")]) / 1000
    head = '.jp-perijove-grid [data-column="metrics.metric_3"]'
    sorted_ = []
    for _ in range(ROUNDS):
        sorted_.append(page.evaluate(PAINTED, [head, until(best)]) / 1000)
        page.click(head)
        page.click(head)
        page.wait_for_function(until(f"run-{RUNS - 1}"))
    return opened, statistics.median(sorted_), page.evaluate(SCROLL, 5)


def chart(page: Page, experiment: str) -> float:
    """Seconds from the click until ten charts of the million points are painted."""
    page.click(f'[data-experiment-id="{experiment}"]')
    page.click(f".jp-perijove-document:visible {FIRST}")
    page.wait_for_selector(".jp-perijove-overview")
    tab = ".lm-DockPanel-widget:not(.lm-mod-hidden) .jp-perijove-tabs button:nth-child(2)"
    painted = "document.querySelectorAll('figure[data-metric] canvas').length === 10"
    took: Any = page.evaluate(PAINTED, [tab, painted])
    return float(took) / 1000


def main() -> Iterator[str]:
    """The figures."""
    with ExitStack() as stack:
        folder = stack.enter_context(common.folder())
        hub = stack.enter_context(common.hub(folder / "home"))
        hub.perijove("experiment", "list")  # answers when MLflow does
        database = next((folder / "home").rglob("mlflow.db"))
        many = filled.make_experiment(database, "many")
        filled.make_runs(database, many, RUNS)
        best = top(database, "metric_3")
        # plain MLflow has a copy of its own
        copy = folder / "plain.db"
        with sqlite3.connect(database) as source, sqlite3.connect(copy) as target:
            source.backup(target)
            if target.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone():
                target.execute("DELETE FROM sqlite_stat1")
        long = filled.make_experiment(database, "long")
        filled.make_history(database, long, POINTS)
        plain = port()
        program = str(Path(sys.executable).with_name("mlflow"))
        options = f"--backend-store-uri sqlite:///{copy} --workers 1 --port {plain}"
        stack.enter_context(
            server(
                [program, "server", *options.split()],
                f"http://127.0.0.1:{plain}/health",
                folder,
                MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
            )
        )
        page = stack.enter_context(lab(folder, hub))
        empty = heap(page)
        opened, sorted_, frames = ours(page, many, best)
        table = heap(page)
        charts = chart(page, long)
        yield f"scrolling through 10,000 runs: {frames:.0f} frames/s"
        yield f"1,000,000 points in 10 charts, click to painted: {charts:.2f} s"
        yield f"memory of the tab: {empty:.0f} MB, with the table of 10,000 runs {table:.0f} MB"
        other = page.context.new_page()
        page.close()
        their_opened, their_sorted = theirs(other, f"http://127.0.0.1:{plain}", many, best)
    yield (
        f"10,000 runs, default order, click to painted: Perijove {opened:.2f} s, MLflow's page "
        f"{their_opened:.2f} s: {their_opened / opened:.1f} times faster"
    )
    yield (
        f"10,000 runs sorted by a metric: Perijove {sorted_:.3f} s, MLflow's page "
        f"{their_sorted:.1f} s: {their_sorted / sorted_:.0f} times faster"
    )


if __name__ == "__main__":
    print(*main(), sep="\n")
