"""How long a dashboard takes to start: from the command until the page is drawn in Chromium.

And what the page asks other hosts for: it should be nothing.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench import common
from bench.studio_ui import FLAGS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROUNDS = 3
DRAWN = ".jp-perijove-figures"


def main() -> Iterator[str]:
    """The figures."""
    from playwright.sync_api import sync_playwright

    with (
        common.folder() as folder,
        common.hub(folder / "home") as hub,
        sync_playwright() as playwright,
    ):
        hub.warm(common.noop(folder / "noop.ipynb"))
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        found = [_opened(browser, folder) for _ in range(ROUNDS)]
        browser.close()
    starts, seconds, strangers = zip(*found, strict=True)
    hosts = sorted(set().union(*strangers))
    yield (
        f"`perijove dashboard workspace` until drawn: {statistics.median(starts):.1f} s; "
        f"the next viewer: {statistics.median(seconds):.1f} s; "
        f"other hosts asked: {', '.join(hosts) or 'none'}"
    )


def _opened(browser: Browser, folder: Path) -> tuple[float, float, set[str]]:
    """Seconds of the first viewer and of the next one; other hosts that were asked."""
    words = ["dashboard", "workspace", "--no-browser", "--json"]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "perijove.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")["url"]
        hosts: set[str] = set()
        took = []
        for _ in range(2):
            context = browser.new_context()
            page = context.new_page()
            page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
            _go(page, url)
            page.wait_for_selector(DRAWN, timeout=120_000)
            took.append(time.perf_counter() - begun)
            page.wait_for_timeout(1000)
            context.close()
            begun = time.perf_counter()
    finally:
        process.terminate()
        process.wait(30)
    return took[0], took[1], hosts - {urlsplit(url).netloc, ""}


def _go(page: object, url: str) -> None:
    from playwright.sync_api import Error

    for _ in range(600):
        try:
            page.goto(url)  # type: ignore[attr-defined]
            return
        except Error:  # it does not listen yet
            time.sleep(0.05)
    raise TimeoutError(url)


if __name__ == "__main__":
    print(*main(), sep="\n")
