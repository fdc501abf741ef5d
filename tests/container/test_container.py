"""A container of real podman as an instance: jobs, kernels, a shell, and nothing left of it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import perijove, said, write_notebook
from perijove.compute.instance.container import WAYS

from .image import copy_node, make_image, remove_image, unusable

pytestmark = pytest.mark.integration
IMAGE, EMPTY = f"localhost/perijove-test:{os.getpid()}", f"localhost/perijove-empty:{os.getpid()}"


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """What an image of Python has: see `container.image`."""
    if reason := unusable():
        pytest.skip(reason)
    make_image(IMAGE)
    yield IMAGE
    remove_image(IMAGE)


@pytest.fixture(scope="module")
def empty() -> Iterator[str]:
    """An image without Python."""
    if reason := unusable():
        pytest.skip(reason)
    make_image(EMPTY, python=False)
    yield EMPTY
    remove_image(EMPTY)


@pytest.fixture(autouse=True)
def _can_run(request: pytest.FixtureRequest) -> None:
    name = "image" if "image" in request.fixturenames else "empty"
    found = request.getfixturevalue(name)
    said = ""
    for before, after in WAYS:
        run = [
            "podman",
            *before,
            "run",
            "--rm",
            "--network",
            "host",
            *after,
            found,
            "sh",
            "-c",
            ":",
        ]
        done = subprocess.run(run, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        said = done.stderr.strip()
    pytest.skip(f"podman runs no containers here: {said[-300:]}")


def containers(home: Path) -> list[str]:
    """Names of the containers that have this home's files."""
    listed = ["podman", "ps", "--all", "--format", "{{.Names}} {{.Mounts}}"]
    known = subprocess.run(listed, capture_output=True, text=True, check=True).stdout
    inspected = ["podman", "inspect", "-f", "{{range .Mounts}}{{.Source}} {{end}}"]
    found = []
    for line in known.splitlines():
        name = line.split()[0]
        mounts = subprocess.run([*inspected, name], capture_output=True, text=True, check=False)
        if str(home) in mounts.stdout:
            found.append(name)
    return found


def create(home: Path, image: str, code: int = 0) -> dict[str, object]:
    kind = ("--kind", "instance", "--on", "container", "--image", image)
    return said("compute", "create", "box", *kind, home=home, code=code)


def typed(command: list[str], text: str) -> None:
    """Type into a program that wants a terminal, until it ends."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, text.encode())
    assert process.wait(60) == 0
    os.close(ours)


def used(image: str, home: Path, tmp_path: Path) -> None:
    """All that one does with it, from its beginning to its end."""
    made = create(home, image)
    assert made["state"] == "running", made
    files = home / "workspaces" / "default" / "files" / "box"
    (name,) = containers(home)

    path = write_notebook(
        tmp_path / "train.ipynb",
        "import mlflow, os\nmlflow.log_metric('seen', 1)",
        "print(os.environ['HOME'], os.path.exists('/etc/debian_version'))",
    )
    job = said("job", "submit", str(path), "--compute", "box", "--wait", home=home)
    assert job["state"] == "succeeded", job
    assert "/perijove False" in Path(str(job["output_notebook"])).read_text()
    run = said("job", "show", str(job["id"]), home=home)
    assert run["run_id"]

    # a kernel there, by its kernelspec; it comes again after a stop, with the files
    executed = tmp_path / "executed.ipynb"
    for round_ in ("first", "second"):
        cells = ("import os, mlflow", f"open(os.environ['HOME'] + '/{round_}', 'w').write('x')")
        here = write_notebook(tmp_path / "kernel.ipynb", *cells)
        command = [sys.executable, "-m", "papermill", "-k", "base@box", str(here), str(executed)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        assert (files / round_).read_text() == "x"
        assert "git executable" not in executed.read_text()
        assert said("compute", "stop", "box", "--force", home=home)["state"] == "stopped"
        assert said("compute", "start", "box", home=home)["state"] == "running"
    assert containers(home) == [name]

    command = said("compute", "connect", "box", home=home)["command"]  # type: ignore[assignment]
    typed(command, "cd; echo typed > shell; exit\n")
    assert (files / "shell").read_text() == "typed\n"

    assert perijove("compute", "delete", "box", home=home).returncode == 0
    assert containers(home) == []
    assert (files / "shell").exists()


@pytest.fixture(autouse=True)
def _jupyter(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PERIJOVE_HOME", str(home))


def test_a_container_from_its_beginning_to_its_end(
    image: str, node: Path, home: Path, tmp_path: Path
) -> None:
    # its files were kept from before, and our environment is among them
    copy_node(node, home / "workspaces" / "default" / "files" / "box" / ".perijove-node")
    used(image, home, tmp_path)


@pytest.mark.soak
def test_a_container_that_is_prepared_from_nothing(image: str, home: Path, tmp_path: Path) -> None:
    used(image, home, tmp_path)


def test_an_image_without_python_leaves_nothing(empty: str, home: Path) -> None:
    error = create(home, empty, code=2)["error"]
    assert isinstance(error, dict)
    assert error["field"] == "image"
    assert "has no Python 3.11 or newer" in error["message"], error
    assert containers(home) == []
    assert perijove("compute", "show", "box", home=home).returncode == 2
    assert not (home / "workspaces" / "default" / "files" / "box").exists()


def test_an_image_that_is_not_there_leaves_nothing(empty: str, home: Path) -> None:
    error = create(home, f"localhost/none:{os.getpid()}", code=2)["error"]
    assert isinstance(error, dict)
    assert error["field"] == "image"
    assert containers(home) == []
    assert perijove("compute", "show", "box", home=home).returncode == 2
    assert not (home / "workspaces" / "default" / "files" / "box").exists()
