"""Scripts as jobs: their verdicts, their words, their end."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path

import pytest

from perijove.models.jobs import JobState
from runner.helpers import events, log, run, script_attempt, start, status

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("text", "reason", "message"),
    [
        ("print('x'); raise ValueError('no')", "user_error", "exit code 1: ValueError: no"),
        ("import sys; sys.exit(7)", "user_error", "script.py ended with exit code 7$"),
        ("import os; os.kill(os.getpid(), 9)", "user_error", "killed by SIGKILL"),
        ("raise MemoryError", "out_of_memory", "MemoryError"),
        ("raise OSError(28, 'No space left on device')", "disk_full", "Errno 28"),
        ("input()", "user_error", "EOFError"),
    ],
)
def test_verdicts(tmp_path: Path, text: str, reason: str, message: str) -> None:
    found = run(script_attempt(tmp_path, text))
    assert (found.state, found.reason) == (JobState.FAILED, reason), found
    assert re.search(message, found.message or ""), found.message


def test_parameters_arrive_both_ways(tmp_path: Path) -> None:
    text = (
        "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['PERIJOVE_PARAMETERS']]))"
    )
    parameters = {"name": "a b", "n": 3, "flag": True, "many": [1, 2]}
    folder = script_attempt(tmp_path, text, parameters=parameters)
    assert run(folder).state is JobState.SUCCEEDED
    argv, environ = json.loads(log(folder, "stdout"))
    assert argv == ["--name", "a b", "--n", "3", "--flag", "true", "--many", "[1, 2]"]
    assert json.loads(environ) == parameters


def test_both_streams_arrive_whole(tmp_path: Path) -> None:
    text = "import sys\nfor i in range(5000): print('ä' * 30, i); print('e', i, file=sys.stderr)"
    folder = script_attempt(tmp_path, text)
    assert run(folder).state is JobState.SUCCEEDED
    assert log(folder, "stdout") == "".join(f"{'ä' * 30} {i}\n" for i in range(5000))
    assert log(folder, "stderr") == "".join(f"e {i}\n" for i in range(5000))
    assert len(events(folder)) < 10_000  # fewer than lines, even where the machine is busy
    assert "e 4999" in (folder / "log.txt").read_text()


def test_a_script_ends_though_a_child_keeps_its_output_open(tmp_path: Path) -> None:
    text = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid)"
    folder = script_attempt(tmp_path, text)
    assert run(folder).state is JobState.SUCCEEDED
    child = int(log(folder, "stdout"))
    assert not Path(f"/proc/{child}").exists()


def test_a_canceled_script_may_clean_up(tmp_path: Path) -> None:
    text = (
        "import time\ntry:\n    print('running'); time.sleep(600)\n"
        "except KeyboardInterrupt:\n    open('cleaned', 'w').close()"
    )
    folder = script_attempt(tmp_path, text)
    runner = start(folder)
    while "running" not in log(folder, "stdout"):
        time.sleep(0.02)
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(30) == 0
    assert status(folder).state is JobState.CANCELED
    assert (folder / "work/cleaned").exists()


def test_output_is_bounded_and_said(tmp_path: Path) -> None:
    folder = script_attempt(tmp_path, "for _ in range(300): print('x' * 9999)", output_limit=10**6)
    assert run(folder).state is JobState.SUCCEEDED
    assert "[Perijove] Output over" in log(folder, "stdout")
    assert len(log(folder, "stdout")) < 1_100_000


def test_an_environment_without_python_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "share/kernels/other"
    folder.mkdir(parents=True)
    spec = {"argv": ["/bin/true"], "display_name": "Other", "language": "R"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    found = run(script_attempt(tmp_path / "a", "1", environment="other"))
    assert found.reason == "environment_failed"
    assert "'other' is for R" in (found.message or "")
