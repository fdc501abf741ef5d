"""A real JupyterLab in a real Chromium."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, TimeoutError, expect, sync_playwright

from conftest import configure, free_port, perijove, write_notebook

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ROOT = Path(__file__).parents[2]
PANEL = '.jp-SideBar .lm-TabBar-tab[data-id="perijove-panel"]'
JOBS = '[role=tree][aria-label="Jobs"]'
"""The panel's list of jobs."""
THEMES = "@jupyterlab/apputils-extension:themes"
NEWS = "@jupyterlab/apputils-extension:notification"


@dataclass
class Lab:
    """A running JupyterLab."""

    url: str
    notebooks: Path
    home: Path
    process: subprocess.Popen[bytes]

    def setting(self, plugin: str, **values: object) -> None:
        """Store a user setting."""
        url = f"{self.url}/lab/api/settings/{plugin}?token=token"
        httpx.put(url, json={"raw": json.dumps(values)}).raise_for_status()


def _chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if (found := shutil.which(name)) is not None:
            return found
    if os.environ.get("CI"):
        pytest.fail("CI must have Chromium: scripts/ensure-chromium installs it.")
    pytest.skip("There is no Chromium; scripts/ensure-chromium says how to get it.")


CLONE_NEWNET = 0x40000000


@pytest.fixture(scope="package", autouse=True)
def _own_network() -> Iterator[None]:
    """A network of this thread's own, and of all that it starts, with nothing but loopback.

    Chromium drops its requests when a network interface comes or goes, and the tests of machines,
    which may run beside these, make some. Where we may not do that, neither may they.
    """
    if sys.platform == "linux" and shutil.which("ip") is not None:
        system = ctypes.CDLL(None)
        with open("/proc/thread-self/ns/net") as before:
            if system.unshare(CLONE_NEWNET) == 0:
                subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
                yield
                assert system.setns(before.fileno(), CLONE_NEWNET) == 0
                return
    yield


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, gone after the last test of this folder: Playwright keeps an event loop running
    in this thread, and the tests of the server extension need one of their own."""
    path = _chromium()
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield made
        made.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab with the built extension, on a folder of its own."""
    with served(tmp_path_factory.mktemp("lab"), "jupyterlab") as made:
        made.setting(NEWS, fetchNews="false", checkForUpdates=False)
        yield made


@contextmanager
def served(folder: Path, application: str) -> Iterator[Lab]:
    """A server of JupyterLab's or of Notebook's, and the notebooks that the tests use."""
    notebooks, home = folder / "notebooks", folder / "home"
    notebooks.mkdir()
    configure(home)
    shutil.copy(ROOT / "notebooks/gallery/train.ipynb", notebooks)
    write_notebook(
        notebooks / "failing.ipynb", "print('fine')", "rows = 0\n1 / rows", "print('never')"
    )
    write_notebook(
        notebooks / "slow.ipynb",
        "import time, mlflow",
        "for step in range(2000):\n"  # whoever has seen enough of it cancels it
        "    mlflow.log_metric('loss', 1 / (step + 1), step=step)\n"
        "    print('step', step)\n    time.sleep(0.3)",
        parameters="depth: int = 8  # depth of each tree\nname: str = 'first'",
    )
    port = free_port()
    environ = os.environ | {
        "PERIJOVE_HOME": str(home),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }
    options = f"--no-browser --allow-root --port={port} --IdentityProvider.token=token"
    for name in ("LabApp", "JupyterNotebookApp"):
        options += f" --{name}.expose_app_in_browser=True"
    with (folder / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", application, *options.split()],
            cwd=notebooks,
            env=environ,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    made = Lab(f"http://127.0.0.1:{port}", notebooks, home, process)
    try:
        _wait(made)
        yield made
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            # a request under way at its end can leave it with a thread of AnyIO's that nobody ends
            process.kill()
            process.wait()
        perijove("down", "--force", home=home)


def _wait(lab: Lab) -> None:
    with httpx.Client() as client:
        for _ in range(600):
            try:
                if client.get(f"{lab.url}/api/status?token=token").status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
    pytest.fail("JupyterLab did not start")


PATIENCE = 60_000
"""Milliseconds; other tests run beside these."""
expect.set_options(timeout=PATIENCE)


def show(page: Page, panel: str) -> None:
    """Show a panel of the left bar; a click on the one that is shown would hide it."""
    if not page.locator(f"#{panel}").is_visible():
        page.click(f'.jp-SideBar .lm-TabBar-tab[data-id="{panel}"]')
    page.wait_for_selector(f"#{panel}", state="visible")


def drawn(page: Page) -> None:
    """Wait until the layout is restored, which undoes what is clicked before."""
    page.wait_for_selector(PANEL)
    page.wait_for_selector(".jp-Launcher, .jp-NotebookPanel")
    page.evaluate("async () => { await window.jupyterapp.restored; }")
    page.wait_for_timeout(500)


def reload(page: Page, saved: Callable[[dict[str, Any]], bool]) -> None:
    """Load JupyterLab again once it has saved a layout like this: it does so a while after it."""
    script = "async () => (await window.jupyterapp.serviceManager.workspaces.list()).values"
    for _ in range(PATIENCE // 100):
        layouts = [kept["data"].get("layout-restorer:data") for kept in page.evaluate(script)]
        if any(layout and saved(layout) for layout in layouts):
            page.reload()
            return
        page.wait_for_timeout(100)
    pytest.fail(f"No such layout was saved: {layouts}")


def palette(page: Page, command: str) -> None:
    """Run a command from the palette; its shortcut is known a little after the page is drawn.

    What is being restored takes the focus, and with it the palette: that is waited for. Should
    anything else take it, the palette is opened again.
    """
    page.evaluate("async () => { await window.jupyterapp.restored; }")
    words = page.locator(".lm-CommandPalette-input:visible")
    found = page.locator(".lm-CommandPalette-item.lm-mod-active", has_text=command)
    for _ in range(PATIENCE // 2000):
        page.keyboard.press("ControlOrMeta+Shift+C")
        with suppress(TimeoutError):
            words.fill(command, timeout=2000)
            found.wait_for(timeout=2000)
            words.press("Enter", timeout=2000)
            page.wait_for_timeout(500)  # the palette goes, and gives the focus back
            return
    pytest.fail(f"The palette does not offer: {command}")


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(lab: Lab, browser: Browser) -> Iterator[OpenPage]:
    """Open JupyterLab; a script error in the page fails the test.

    But not a part of a page that is lost on the way: the page may ask for it again.
    """
    errors: list[str] = []
    lost: list[str] = []
    pages: list[Page] = []

    def make(width: int = 1400, height: int = 850, dark: bool = False, reset: bool = True) -> Page:
        lab.setting(THEMES, theme=f"JupyterLab {'Dark' if dark else 'Light'}")
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("requestfailed", lambda request: lost.append(f"{request.url}: {request.failure}"))
        page.goto(f"{lab.url}/lab?token=token{'&reset' if reset else ''}")
        drawn(page)
        pages.append(page)
        return page

    yield make
    for page in pages:
        page.close()
    errors = [error for error in errors if "Loading chunk" not in error]
    assert not errors, f"requests that failed: {lost}"
