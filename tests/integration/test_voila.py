"""Dashboards of Voila whose notebooks run on an instance, as its users start it."""

from __future__ import annotations

import html
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from conftest import configure, free_port, perijove, until
from perijove.client.workspace import Workspace

pytestmark = pytest.mark.integration
SPEC = {"name": "base@box", "display_name": "base @ box", "language": "python"}
CELLS = (
    "import os, ipywidgets\nprint('in', os.getcwd(), 'of', os.environ['PERIJOVE_WORKSPACE'])",
    "slider = ipywidgets.IntSlider(7, description='depth of the trees')\nslider",
)


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with an instance called *box*, in a Jupyter data folder of its own."""
    folder = tmp_path_factory.mktemp("voila")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PERIJOVE_HOME", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(folder / name.lower()))
        configure(folder / "perijove_home")
        workspace = Workspace()
        workspace.compute.create_instance("box")
        until((folder / "jupyter_data_dir" / "kernels" / "base@box" / "kernel.json").exists)
        yield workspace
        perijove("down", "--force", home=folder / "perijove_home")


@contextmanager
def serving(path: Path) -> Iterator[httpx.Client]:
    """Voila on the notebook."""
    port = free_port()
    options = ["--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
    with (path.parent / "voila.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "voila", *options, str(path)],
            cwd=path.parent,
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            until(lambda: process.poll() is not None or _answers(port))
            yield client
    finally:
        process.terminate()
        process.wait(30)


def _answers(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def test_a_dashboard_runs_on_the_instance(ws: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "dashboard.ipynb"
    cells = [new_code_cell(cell) for cell in CELLS]
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": SPEC}), path)
    with serving(path) as client:
        page = client.get("/")
        assert page.status_code == 200, page.text[-2000:]
        text = html.unescape(page.text)
        assert f"in {os.path.realpath(tmp_path)} of default" in text
        assert "depth of the trees" in text  # the widget's state is in the page
        (kernel,) = ws.kernels.list("box")

        named = re.search(r'"kernelId": "([0-9a-f-]+)"', page.text)
        assert named is not None
        assert named[1] == kernel.kernel_id

        # every page has a kernel of its own, and all end with Voila
        assert client.get("/").status_code == 200
        assert len(ws.kernels.list("box")) == 2
    until(lambda: ws.kernels.list("box") == [])


def test_papermill_runs_there_by_the_notebooks_own_kernelspec(
    ws: Workspace, tmp_path: Path
) -> None:
    path, output = tmp_path / "plain.ipynb", tmp_path / "output.ipynb"
    cells = [new_code_cell("import os; print(os.environ['PERIJOVE_WORKSPACE'])")]
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": SPEC}), path)
    command = [sys.executable, "-m", "papermill", str(path), str(output)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "default" in output.read_text()
    assert ws.kernels.list("box") == []
