"""Shared fixtures: notebooks, and a real hub of the session's own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

LONG = (
    *("browser", "ssh", "container", "slurm", "chaos", "tracking", "integration", "runner"),
    *("gallery", "compute", "packaging", "notebook"),
)
"""Folders whose tests take long, the longest first."""
TOGETHER = {folder: folder for folder in ("browser", "ssh", "slurm", "tracking")}
TOGETHER["container"] = "ssh"
"""Folders whose tests are one worker's, and which: they share servers that are slow to start, or
machines that are slow to prepare."""
OURS = ("PERIJOVE_SCREENSHOTS", "PERIJOVE_TESTS", "PERIJOVE_TORCH")
"""Variables that are for the tests themselves."""
THEIRS = ("IPYTHON", "JUPYTER", "MLFLOW_", "PERIJOVE_", "XDG_CACHE", "XDG_CONFIG", "XDG_DATA")
"""How those variables begin that would lead to the folders and servers of whoever runs them."""

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
MakeNotebook = Callable[..., Path]


def write_notebook(path: Path, *cells: str, parameters: str | None = None) -> Path:
    """A notebook of code cells; `parameters` becomes a tagged first one."""
    made = [new_code_cell(cell) for cell in cells]
    if parameters is not None:
        made.insert(0, new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    nbformat.write(new_notebook(cells=made, metadata={"kernelspec": KERNEL}), path)
    return path


def pytest_configure(config: pytest.Config) -> None:
    """Tests, and all they start, have a home folder and a cache of uv's that are the run's own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    if worker == "main":
        os.environ["PERIJOVE_TESTS"] = tempfile.mkdtemp(prefix="pjv-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ["PERIJOVE_TESTS"], ignore_errors=True))
    for name in [name for name in os.environ if name.startswith(THEIRS) and name not in OURS]:
        del os.environ[name]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    folder = Path(os.environ["PERIJOVE_TESTS"])
    (folder / worker).mkdir()
    os.environ |= {"HOME": str(folder / worker), "UV_CACHE_DIR": str(folder / "uv")}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first: at the end no worker shall wait long for another."""
    items.sort(key=lambda item: [*LONG, _folder(item.nodeid)].index(_folder(item.nodeid)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """One worker takes a whole file, as its tests share fixtures, or a whole group of folders."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return TOGETHER.get(_folder(nodeid)) or nodeid.partition("::")[0]

    return Scheduling(config, log)


def _folder(nodeid: str) -> str:
    return nodeid.removeprefix("tests/").partition("/")[0]


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


@contextmanager
def at_home(home: Path, **settings: object) -> Iterator[None]:
    """PERIJOVE_HOME is this folder; the hub that is made in it is stopped at the end."""
    configure(home, **settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERIJOVE_HOME", str(home))
        try:
            yield
        finally:
            perijove("down", "--force", home=home)


def said(*words: str, home: Path, code: int = 0) -> Any:
    """What a command prints with ``--json``; it ends with `code`."""
    done = perijove(*words, "--json", home=home, timeout=600)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def until(condition: Callable[[], Any], seconds: float = 120) -> Any:
    """Wait until there is something; `seconds` are only there so that it ends."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return found


def free_port() -> int:
    """A port for a server that starts in a moment: none that the kernel hands out meanwhile."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)  # Linux's own begin at 32768
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def command(process: psutil.Process) -> str:
    """Its command line; nothing if it has just ended."""
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def processes(*needles: str | Path) -> list[psutil.Process]:
    """Those whose command lines name all of these."""
    texts = [str(needle) for needle in needles]
    return [
        process
        for process in psutil.process_iter()
        if (line := command(process)) and all(text in line for text in texts)
    ]


def kill(found: Iterable[psutil.Process], needle: str = "") -> None:
    """Those of them, with this in their command lines, that have not ended meanwhile."""
    for process in found:
        if needle in command(process):
            with suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.fixture(scope="session")
def session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A PERIJOVE_HOME whose hub all tests may use; it is stopped at the end."""
    home = tmp_path_factory.mktemp("home")
    yield home
    perijove("down", "--force", home=home)


def configure(home: Path, **settings: object) -> None:
    """Settings of the home's workspace.

    Nothing is imported ahead, unless they say so: that halves what the start of a hub costs, and
    only jobs that import much want it.
    """
    folder = home / "workspaces/default"
    folder.mkdir(parents=True, exist_ok=True)
    # JSON is YAML
    (folder / "config.yaml").write_text(json.dumps({"preload": []} | settings))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A PERIJOVE_HOME of the test's own, for tests that kill the hub; see `configure`."""
    folder = tmp_path / "home"
    configure(folder)
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
