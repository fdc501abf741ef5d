"""A runner of its own, without a hub: verdicts, idempotence, limits, the spool."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conftest import until
from perijove.models.attempts import AttemptStatus
from perijove.models.events import EventType
from perijove.models.jobs import JobState
from perijove.models.processes import link_verdict
from perijove.runner.spool import Spool
from runner.helpers import attempt, events, run, start, status


@pytest.mark.integration
@pytest.mark.parametrize(
    ("cells", "reason", "message"),
    [
        (["x = 1", "raise ValueError('no\\nmore')"], "user_error", "cell 2: ValueError: no"),
        (["raise MemoryError()"], "out_of_memory", "cell 1: MemoryError"),
        (["raise OSError(28, 'No space left')"], "disk_full", "cell 1: OSError"),
        (["input()"], "user_error", "keyboard"),
        (["import sys; sys.exit(3)"], "user_error", r"sys\.exit\(3\)"),
        (["import sys; sys.exit(0)", "1", "2"], "user_error", "2 code cells did not run"),
        (
            ["1", "import os; os._exit(0)"],
            "kernel_died",
            "cell 2: the kernel ended with exit code 0",
        ),
        (["import os; os.abort()"], "kernel_died", "SIGABRT"),
        (["raise RuntimeError('[Errno 28] No space left on device')"], "disk_full", "cell 1"),
        (["import numpy; numpy.empty(1 << 50)"], "out_of_memory", "MemoryError: Unable"),
        (["import no_such"], "user_error", "'no_such'; it is neither in the job's environment"),
        # IPython prints these without an error output of their own
        (["raise ExceptionGroup('many', [ValueError(1)])"], "user_error", "ExceptionGroup: many"),
        (["%no_such_magic"], "user_error", "UsageError"),
        # the debugger's failure comes after the one it was called for
        (["%pdb on\n1 / 0"], "user_error", "cell 1: ZeroDivisionError"),
    ],
)
def test_verdicts(tmp_path: Path, cells: list[str], reason: str, message: str) -> None:
    folder = attempt(tmp_path, *cells)
    found = run(folder)
    assert (found.state, found.reason) == (JobState.FAILED, reason), found
    assert re.search(message, found.message or ""), found.message
    assert (folder / "output.ipynb").exists()


@pytest.mark.integration
def test_a_failure_names_the_cell_that_raised_though_later_ones_ran(tmp_path: Path) -> None:
    folder = attempt(tmp_path, "1", "1 / 0", "print('went on')")
    path = folder / "work/n.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"][1]["metadata"]["tags"] = ["raises-exception"]
    path.write_text(json.dumps(notebook))
    # papermill goes on, and fails the notebook at its end
    assert (run(folder).message or "").startswith("cell 2: ZeroDivisionError")


@pytest.mark.integration
def test_braces_in_a_path_are_not_filled_in(tmp_path: Path) -> None:
    assert run(attempt(tmp_path / "{{name}} {b}", "1")).state is JobState.SUCCEEDED


@pytest.mark.integration
def test_what_papermill_cannot_read_is_the_notebook_s_fault(tmp_path: Path) -> None:
    folder = attempt(tmp_path, "1")
    path = folder / "work/n.ipynb"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"nbformat_minor": None}))
    found = run(folder)
    assert found.reason == "user_error"
    assert "papermill cannot read the notebook" in (found.message or "")


@pytest.mark.integration
def test_an_exit_in_the_last_cell_is_a_success(tmp_path: Path) -> None:
    folder = attempt(tmp_path, "1", "import sys; sys.exit(0)")
    assert run(folder).state is JobState.SUCCEEDED


@pytest.mark.integration
def test_a_kernel_that_does_not_start_is_the_environment_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = tmp_path / "share/kernels"
    argvs = {
        "gone": ["/nowhere/python"],
        "broken": ["/bin/sh", "-c", "exit 3"],
        "killed": ["/bin/sh", "-c", "kill -9 $$"],
    }
    for name, argv in argvs.items():
        (kernels / name).mkdir(parents=True)
        spec = {"argv": argv, "display_name": name, "language": "python"}
        (kernels / name / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    for name, word in (("gone", "/nowhere/python"), ("broken", "exit code 3")):
        found = run(attempt(tmp_path / name, "1", environment=name))
        assert found.reason == "environment_failed"
        assert word in (found.message or ""), found.message
    found = run(attempt(tmp_path / "killed", "1", environment="killed"))
    assert (found.reason, found.message) == ("kernel_died", "the kernel was killed by SIGKILL")


@pytest.mark.integration
def test_an_attempt_ends_when_its_time_is_over(tmp_path: Path) -> None:
    cell = "try:\n    import time; time.sleep(60)\nfinally:\n    open('cleaned', 'w').close()"
    found = run(attempt(tmp_path, "print('before')", cell, timeout=12))
    assert (found.reason, found.message) == ("timed_out", "the attempt took longer than 12 s")
    assert "before" in (tmp_path / "output.ipynb").read_text()
    assert (tmp_path / "work/cleaned").exists()  # the cell was interrupted, not only killed


@pytest.mark.integration
def test_an_unknown_kernel_names_those_there_are(tmp_path: Path) -> None:
    folder = attempt(tmp_path, "1", environment="nope")
    start(folder).wait(60)
    assert status(folder).reason == "environment_failed"
    assert "python3" in (status(folder).message or "")


@pytest.mark.integration
def test_two_runners_make_one_attempt(tmp_path: Path) -> None:
    folder = attempt(tmp_path, "open('ran', 'a').write('x')")
    for runner in [start(folder), start(folder)]:
        assert runner.wait(60) == 0
    assert start(folder).wait(60) == 0
    assert (folder / "work/ran").read_text() == "x"
    assert status(folder).state is JobState.SUCCEEDED


@pytest.mark.integration
def test_what_a_killed_runner_had_begun_is_not_run_again(tmp_path: Path) -> None:
    folder = attempt(tmp_path, "import time; open('ran', 'a').write('x'); time.sleep(600)")
    runner = start(folder)
    until((folder / "work/ran").exists)
    runner.kill()
    runner.wait()
    assert start(folder).wait(60) == 0
    assert (folder / "work/ran").read_text() == "x"
    assert not (folder / "status.json").exists()


@pytest.mark.integration
def test_a_verdict_given_by_the_hub_stands_and_ends_the_runner(tmp_path: Path) -> None:
    folder = attempt(tmp_path, "import time; time.sleep(600)")
    runner = start(folder)
    until((folder / "runner.json").exists)
    lost = AttemptStatus(
        state=JobState.FAILED, reason="lost", ended_at=datetime.now(UTC), pid=os.getpid()
    )
    runner.send_signal(signal.SIGSTOP)
    assert link_verdict(folder, lost)
    runner.send_signal(signal.SIGCONT)
    assert runner.wait(60) == 0
    assert status(folder).reason == "lost"
    assert not link_verdict(folder, lost)


@pytest.mark.integration
def test_canceled_keeps_what_was_done(tmp_path: Path) -> None:
    folder = attempt(tmp_path, "print('before')", "import time; time.sleep(60)")
    runner = start(folder)
    while "cell_finished" not in [e["type"] for e in events(folder)]:
        time.sleep(0.02)
    runner.send_signal(signal.SIGTERM)
    runner.wait(30)
    assert status(folder).state is JobState.CANCELED
    assert "before" in (folder / "output.ipynb").read_text()


@pytest.mark.integration
def test_output_is_bounded_and_said(tmp_path: Path) -> None:
    folder = attempt(tmp_path, "for _ in range(300): print('x' * 10_000)", "1", output_limit=10**6)
    start(folder).wait(60)
    assert status(folder).state is JobState.SUCCEEDED
    notebook = (folder / "output.ipynb").read_text()
    assert "[Perijove] The output of this job passed" in notebook
    assert len(notebook) < 1_500_000
    assert (folder / "spool.jsonl").stat().st_size < 1_500_000


@pytest.mark.integration
def test_odd_outputs_arrive(tmp_path: Path) -> None:
    folder = attempt(
        tmp_path,
        "print('\\ud800 lone')",
        "from IPython.display import clear_output, display\n"
        "h = display('first', display_id=True); h.update('second')",
        "print('gone'); clear_output(); print('kept')",
    )
    start(folder).wait(60)
    assert status(folder).state is JobState.SUCCEEDED, status(folder)
    kinds = [event["type"] for event in events(folder)]
    assert "output_updated" in kinds
    assert "output_cleared" in kinds
    assert [event["seq"] for event in events(folder)] == list(range(1, len(kinds) + 1))


@pytest.mark.integration
def test_output_that_cannot_be_sent_holds_nothing_up(tmp_path: Path) -> None:
    """As printing half a surrogate pair now and then stops ipykernel's IOPub thread."""
    cell = (
        "import sys\n"
        "from ipykernel.kernelapp import IPKernelApp\n"
        "sys.stdout.flush_timeout = sys.stderr.flush_timeout = 0.1\n"
        "for _ in range(2): IPKernelApp.instance().iopub_thread.schedule(lambda: 1 / 0)\n"
        "print('said')"
    )
    found = run(attempt(tmp_path, cell, "print('went on')"))
    assert found.state is JobState.SUCCEEDED, found
    executed = (tmp_path / "output.ipynb").read_text()
    assert "said" in executed
    assert "went on" in executed


def test_a_torn_spool_goes_on_where_it_was_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "job", 1, None)
    spool.emit((EventType.LOG, {"text": "1"}), (EventType.LOG, {"text": "2"}))
    with (tmp_path / "spool.jsonl").open("a") as file:
        file.write('{"seq": 3, "ti')
    Spool(tmp_path, "job", 1, None).emit((EventType.LOG, {"text": "3"}))
    assert [event["seq"] for event in events(tmp_path)] == [1, 2, 3]
