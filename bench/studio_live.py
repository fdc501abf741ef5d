"""Charts while a job logs 1,000 points a second, in JupyterLab in Chromium; and how soon a model
that is registered is in the side bar.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from mlflow import MlflowClient
from nbformat.v4 import new_code_cell, new_notebook

from bench import common
from bench.studio_ui import lab

if TYPE_CHECKING:
    from playwright.sync_api import Page

KEYS, RATE, WATCHED = 10, 1000, 20
ROUNDS = 5
JOB = """
import os, time, mlflow
begun, step = time.time(), 0
while not os.path.exists({stop!r}):
    for key in range({keys} - 1):
        mlflow.log_metric(f"metric_{{key}}", 1 / (1 + step) + key, step=step)
    mlflow.log_metric("clock", time.time() - {epoch}, step=step)
    step += 1
    time.sleep(max(0, begun + step * {keys} / {rate} - time.time()))
"""
"""One of its metrics is the time, so that a drawn value says how old it is."""
WATCH = """
async ([seconds, epoch]) => {
  const charts = [...document.querySelectorAll('figure[data-metric] canvas')];
  const clock = document.querySelector('figure[data-metric="clock"] figcaption');
  const frames = [], ages = [], begun = performance.now();
  let last = begun, text = clock.textContent;
  while (last - begun < 1000 * seconds) {
    await new Promise(resolve => requestAnimationFrame(resolve));
    const now = performance.now();
    frames.push(now - last);
    last = now;
    if (clock.textContent !== text) {
      text = clock.textContent;
      ages.push(Date.now() / 1000 - epoch - parseFloat(clock.querySelector('b').textContent));
    }
  }
  return { charts: charts.length, frames, ages };
}
"""
"""Milliseconds between frames; seconds from when the last drawn point was logged."""
SEEN = """
name => {
  window.perijoveSeen = new Promise(resolve => {
    const look = () =>
      document.querySelector(`[data-model-name="${name}"]`)
        ? resolve(Date.now() / 1000)
        : requestAnimationFrame(look);
    look();
  });
}
"""


def main() -> Iterator[str]:
    """The figures."""
    with common.folder() as folder, common.hub(folder / "home") as hub:
        hub.warm(common.noop(folder / "noop.ipynb"))
        with lab(folder, hub) as page:
            epoch, stop = int(time.time()), folder / "stop"
            job = hub.submit(_notebook(folder / "live.ipynb", epoch, stop), experiment="live")
            page.click('.jp-SideBar .lm-TabBar-tab[data-id="perijove-panel"]')
            yield _live(page, epoch)
            stop.touch()
            hub.wait(job)
            yield _registered(page, hub)


def _notebook(path: Path, epoch: int, stop: Path) -> Path:
    code = JOB.format(stop=str(stop), keys=KEYS, rate=RATE, epoch=epoch)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = new_notebook(cells=[new_code_cell(code)], metadata={"kernelspec": kernel})
    nbformat.write(made, path)
    return path


def _live(page: Page, epoch: int) -> str:
    page.locator(".jp-perijove-row[data-experiment-id]", has_text="live").click()
    page.click(".jp-perijove-document:visible .jp-perijove-grid-row .jp-perijove-runlink")
    page.click(".lm-DockPanel-widget:not(.lm-mod-hidden) .jp-perijove-tabs button:nth-child(2)")
    page.wait_for_selector('figure[data-metric="clock"] figcaption b')
    page.wait_for_timeout(3000)
    found: Any = page.evaluate(WATCH, [WATCHED, epoch])
    frames, ages = found["frames"], found["ages"]
    assert found["charts"] == KEYS
    assert ages, "nothing new was drawn"
    slow = sum(frame > 50 for frame in frames)
    return (
        f"{RATE} points/s into {KEYS} charts: {1000 / statistics.mean(frames):.0f} frames/s, "
        f"the longest {max(frames):.0f} ms, {slow} over 50 ms; drawn {len(ages) / WATCHED:.1f} "
        f"times a second, {statistics.median(ages):.1f} s after it was logged"
    )


def _registered(page: Page, hub: common.Hub) -> str:

    os.environ["MLFLOW_TRACKING_TOKEN"] = hub.info.token
    client = MlflowClient(hub.info.tracking_uri)
    client.search_registered_models()
    took = []
    for number in range(ROUNDS):
        name = f"model-{number}"
        page.evaluate(SEEN, name)
        begun = time.time()
        client.create_registered_model(name)
        seen: Any = page.evaluate("() => window.perijoveSeen")
        took.append(seen - begun)
    return f"a model is registered, until it is in the side bar: {statistics.median(took):.2f} s"


if __name__ == "__main__":
    print(*main(), sep="\n")
