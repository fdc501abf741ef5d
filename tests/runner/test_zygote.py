"""A zygote at work: it forks, says what it knows, and begins anew when it must."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perijove.models.jobs import JobState
from runner.helpers import attempt, events, status

pytestmark = pytest.mark.integration


class Hub:
    """The hub's end of a zygote's socket."""

    def __init__(self, *preload: str, path: Path) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(120)
        with theirs:
            options = ["--control-fd", str(theirs.fileno()), "--preload", ",".join(preload)]
            self.process = subprocess.Popen(
                [sys.executable, "-m", "perijove.runner.zygote", *options],
                pass_fds=[theirs.fileno()],
                env=os.environ | {"PYTHONPATH": f"{path}:{os.environ.get('PYTHONPATH', '')}"},
            )
        self.heard: list[dict[str, Any]] = []

    def ask(self, **request: Any) -> None:
        self.socket.send(json.dumps(request).encode())

    def until(self, **wanted: Any) -> dict[str, Any]:
        """The next message with these keys; a value of ... means any."""
        while True:
            message = json.loads(self.socket.recv(1 << 16))
            self.heard.append(message)
            if all(k in message and v in (..., message[k]) for k, v in wanted.items()):
                return message

    def fork(self, folder: Path) -> None:
        """Run an attempt to its end."""
        self.ask(id=1, fork="attempt", folder=str(folder))
        pid = self.until(id=1)["pid"]
        self.until(exited=pid)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    return folder


@pytest.fixture
def start(site: Path) -> Iterator[Any]:
    hubs: list[Hub] = []

    def make(*preload: str) -> Hub:
        hubs.append(Hub(*preload, path=site))
        return hubs[-1]

    yield make
    for hub in hubs:
        hub.socket.close()
        hub.process.wait(30)


def warm(folder: Path) -> bool:
    return bool(next(e for e in events(folder) if e["type"] == "attempt")["data"]["warm"])


def test_it_forks_warm_kernels_and_reaps_them(start: Any, tmp_path: Path) -> None:
    hub = start("json", "no_such_module")
    hub.until(ready="all")
    assert [m["skipped"] for m in hub.heard if "skipped" in m] == ["no_such_module"]
    assert hub.heard[0] == {"ready": "runner"}
    hub.ask(ping=3)
    hub.until(pong=3)
    folder = attempt(tmp_path / "a", "1 + 1")
    hub.fork(folder)
    assert status(folder).state is JobState.SUCCEEDED
    assert warm(folder)
    assert "papermill" in status(folder).packages
    again = len(events(folder))
    hub.fork(folder)  # the same attempt once more: it is over
    assert len(events(folder)) == again


def test_it_forks_while_it_still_imports(start: Any, site: Path, tmp_path: Path) -> None:
    (site / "slow_module.py").write_text("import time; time.sleep(1)")
    hub = start("slow_module")
    hub.until(ready="runner")
    folder = attempt(tmp_path / "a", "1 + 1")
    hub.fork(folder)
    assert status(folder).state is JobState.SUCCEEDED


def test_tasks_answer_or_say_why_not(start: Any, tmp_path: Path) -> None:
    hub = start()
    hub.until(ready="all")
    source = attempt(tmp_path / "a", "1").joinpath("work/n.ipynb")
    for number, args in enumerate(({"notebook": str(source)}, {"notebook": "/nowhere.ipynb"})):
        result = tmp_path / f"{number}.json"
        hub.ask(id=number, fork="task", task="inspect", args=args, result=str(result))
        hub.until(exited=hub.until(id=number)["pid"])
    assert json.loads((tmp_path / "0.json").read_text()) == {"parameters": []}
    assert json.loads((tmp_path / "1.json").read_text())["error"]["code"] == "invalid_input"


def test_a_module_that_starts_threads_is_left_out(start: Any, site: Path, tmp_path: Path) -> None:
    (site / "threads_module.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()"
    )
    (site / "exits_module.py").write_text("raise SystemExit(1)")
    hub = start("threads_module", "exits_module", "json")
    hub.until(ready="all")
    skipped = {m["skipped"]: m["error"] for m in hub.heard if "skipped" in m}
    assert set(skipped) == {"threads_module", "exits_module"}
    assert "threads" in skipped["threads_module"]
    folder = attempt(tmp_path / "a", "import sys; assert 'threads_module' not in sys.modules")
    hub.fork(folder)
    assert status(folder).state is JobState.SUCCEEDED


@pytest.mark.parametrize("change", ["installed", "edited"])
def test_it_begins_anew_when_what_it_imported_has_changed(
    start: Any, site: Path, tmp_path: Path, change: str
) -> None:
    elsewhere = tmp_path / "checkout"
    elsewhere.mkdir()
    (site / "link.pth").write_text(f"{elsewhere}\n")
    (elsewhere / "edited_module.py").write_text("VALUE = 'old'")
    os.environ["PYTHONPATH"] = str(elsewhere)
    try:
        hub = start("edited_module")
    finally:
        del os.environ["PYTHONPATH"]
    hub.until(ready="all")
    pid = hub.process.pid
    if change == "installed":
        (site / "new_package-1.0.dist-info").mkdir()
    else:
        (elsewhere / "edited_module.py").write_text("VALUE = 'new one'")
    folder = attempt(tmp_path / "a", "import edited_module; print(edited_module.VALUE)")
    hub.ask(id=1, fork="attempt", folder=str(folder))
    assert "changed" in hub.until(id=1)["error"]
    hub.until(ready="all")
    hub.fork(folder)
    assert status(folder).state is JobState.SUCCEEDED
    assert hub.process.pid == pid
    assert hub.process.poll() is None
    text = (folder / "output.ipynb").read_text()
    assert ("new one" if change == "edited" else "old") in text


def test_without_a_hub_it_ends_and_its_children_do_not(start: Any, tmp_path: Path) -> None:
    hub = start()
    hub.until(ready="all")
    folder = attempt(tmp_path / "a", "import time; time.sleep(3); print('done')")
    hub.ask(id=1, fork="attempt", folder=str(folder))
    pid = hub.until(id=1)["pid"]
    hub.socket.close()
    assert hub.process.wait(30) == 0
    descriptor = os.pidfd_open(pid)
    assert select.select([descriptor], [], [], 60)[0]
    os.close(descriptor)
    assert status(folder).state is JobState.SUCCEEDED
    assert "done" in (folder / "output.ipynb").read_text()
