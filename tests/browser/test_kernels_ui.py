"""Kernels on instances in JupyterLab: picker, toolbar, files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from browser.conftest import Lab, OpenPage, palette
from conftest import configure, perijove, until, write_notebook

pytestmark = pytest.mark.browser

PLACE = ".jp-perijove-kernel-place"


@pytest.fixture(scope="module", autouse=True)
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user of the test's own: the hub writes kernelspecs into the Jupyter data folder."""
    folder = tmp_path_factory.mktemp("user")
    ours = {"HOME": str(folder), "JUPYTER_DATA_DIR": str(folder / "data")}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    yield folder
    for name, value in before.items():
        os.environ.pop(name)
        if value is not None:
            os.environ[name] = value


@pytest.fixture(scope="module", autouse=True)
def config(user: Path, lab: Lab) -> None:
    configure(lab.home, local_kernels=True, preload=["numpy"])
    (user / "hello.txt").write_text("hello")
    (user / "spare.txt").write_text("spare")
    (user / "work").mkdir()
    for path, code, instance in (
        (user / "work" / "there.ipynb", "import os; print(os.getcwd())", "local"),
        (lab.notebooks / "here.ipynb", "print(6 * 7)", "box"),
        (lab.notebooks / "also.ipynb", "print(7 * 7)", "box"),
    ):
        found = nbformat.read(write_notebook(path, code), 4)
        found.metadata["kernelspec"]["name"] = f"base@{instance}"
        nbformat.write(found, path)


def test_a_notebook_runs_on_an_instance(open_page: OpenPage, lab: Lab) -> None:
    page = open_page()
    made = perijove("compute", "create", "box", "--kind", "instance", home=lab.home)
    assert made.returncode == 0, made.stderr
    # in the picker as soon as the hub has written it
    expect(page.locator(".jp-LauncherCard", has_text="Python (base) @ box").first).to_be_visible()
    for name, said in (("also", "49"), ("here", "42")):
        page.dblclick(f'.jp-DirListing-item:has-text("{name}.ipynb")')
        place = page.locator(f"{PLACE}:visible")
        expect(place).to_contain_text("box")
        expect(place).to_contain_text("MiB")  # what it uses came
        page.click(".jp-NotebookPanel:visible .jp-Cell")
        page.keyboard.press("Shift+Enter")
        expect(page.locator(".jp-OutputArea-output:visible").first).to_have_text(said)

    # stopped and started again: one word for both notebooks, and no dialog of Jupyter's
    done = perijove("compute", "restart", "box", "--force", home=lab.home)
    assert done.returncode == 0, done.stderr
    notice = page.locator(".Toastify__toast", has_text="runs again. Its kernels are new")
    expect(notice).to_have_count(1)
    place.click()
    expect(page.locator('.lm-DockPanel-tabBar .lm-mod-current:has-text("box")')).to_be_visible()
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    expect(notice).to_have_count(1)
    assert perijove("compute", "delete", "box", "--force", home=lab.home).returncode == 0


def test_its_files_are_in_a_file_browser(open_page: OpenPage, lab: Lab, user: Path) -> None:
    page = open_page()
    palette(page, "Browse files of an instance")
    browser = page.locator("#perijove-files-local")
    spare = browser.locator('.jp-DirListing-item:has-text("spare.txt")')
    spare.locator(".jp-DirListing-itemText").click()
    page.keyboard.press("Delete")
    # there is no trash
    expect(page.locator(".jp-Dialog")).to_contain_text("permanently delete: spare.txt")
    page.click(".jp-Dialog button:has-text('Delete')")
    expect(spare).to_have_count(0)
    assert not (user / "spare.txt").exists()
    browser.locator('.jp-DirListing-item:has-text("hello.txt")').dblclick()
    expect(page.locator(".jp-FileEditor .cm-content")).to_contain_text("hello")
    page.locator(".jp-FileEditor .cm-content").click()
    page.keyboard.type("well, ")
    page.keyboard.press("Control+s")
    expect(page.locator(".jp-mod-current.jp-mod-dirty")).to_have_count(0)
    until(lambda: "well, " in (user / "hello.txt").read_text())
    # a notebook of the drive works in its own folder there
    browser.locator('.jp-DirListing-item:has-text("work")').dblclick()
    browser.locator('.jp-DirListing-item:has-text("there.ipynb")').dblclick()
    expect(page.locator(PLACE)).to_contain_text("MiB")
    page.click(".jp-NotebookPanel .jp-Cell")
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-OutputArea-output").first).to_have_text(str(user / "work"))
