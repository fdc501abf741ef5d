"""Shared fixtures: notebooks, and a real hub of the session's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
MakeNotebook = Callable[..., Path]


def write_notebook(path: Path, *cells: str, parameters: str | None = None) -> Path:
    """A notebook of code cells; `parameters` becomes a tagged first one."""
    made = [new_code_cell(cell) for cell in cells]
    if parameters is not None:
        made.insert(0, new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    nbformat.write(new_notebook(cells=made, metadata={"kernelspec": KERNEL}), path)
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of two workers one takes all that shares a server, or hosts that are slow to start."""
    for item in items:
        folder, *place = item.nodeid.removeprefix("tests/").split("/", 1)
        whole = folder in ("ssh", "slurm") or not place
        group = folder if whole else item.nodeid.rpartition("::")[0]
        if "node" in getattr(item, "fixturenames", ()):  # made once, for all that are prepared
            group = "ssh"
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture
def notebook(tmp_path: Path) -> MakeNotebook:
    """Make a notebook in the test's folder: ``notebook("x = 1", name="a.ipynb")``."""

    def make(*cells: str, name: str = "notebook.ipynb", parameters: str | None = None) -> Path:
        return write_notebook(tmp_path / name, *cells, parameters=parameters)

    return make


def perijove(*words: str, home: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "perijove.cli", *words],
        env=os.environ | {"PERIJOVE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.fixture(scope="session")
def session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A PERIJOVE_HOME whose hub all tests may use; it is stopped at the end."""
    home = tmp_path_factory.mktemp("home")
    yield home
    perijove("down", "--force", home=home)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A PERIJOVE_HOME of the test's own, for tests that kill the hub."""
    folder = tmp_path / "home"
    yield folder
    perijove("down", "--force", home=folder)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Our folder of a machine that is prepared already, for ``hosts.add(node=node)``."""
    from ssh.hosts import need_hosts, prepared_node

    need_hosts()
    made = prepared_node(tmp_path_factory.mktemp("node"))
    yield made
    shutil.rmtree(made)
