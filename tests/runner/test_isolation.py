"""Forked kernels share nothing visible: what one leaves, the next does not see, and each looks
like an ordinary kernel."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import configure, perijove, write_notebook

pytestmark = pytest.mark.integration

REPORT = """
import gc, json, os, random, signal, sys, tempfile, threading, warnings
import numpy, pandas, sklearn.ensemble
import threadpoolctl
report = {
    "random": random.random(), "numpy": float(numpy.random.rand()),
    "tempfile": next(tempfile._get_candidate_names()), "cwd": os.getcwd(),
    "leaked": [n for n in ("LEAKED", "__leaked__") if n in globals() or hasattr(sys, n)],
    "environ": sorted(k for k in os.environ if not k.startswith("PYDEVD")),
    "modules": "leaky_module" in sys.modules, "argv": len(sys.argv), "path": sys.path,
    "umask": os.umask(0o22), "descriptors": sorted(
        os.readlink(f"/proc/self/fd/{d}").split(":")[0] for d in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{d}") and int(d) > 2),
    "signals": [str(signal.getsignal(s)) for s in (signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM)],
    "blas": sorted(p["num_threads"] for p in threadpoolctl.threadpool_info()),
    "session": os.getsid(0) != os.getpid(), "stdin": os.readlink("/proc/self/fd/0"),
    "main": sys.modules["__main__"].__dict__ is globals(), "gc": gc.isenabled(),
    "loop": type(__import__("asyncio").get_event_loop()).__name__,
}
app = get_ipython().parent.parent
console = [(type(h).__name__, h.level, h.formatter._fmt) for h in app.log.handlers]
report["app"] = [
    type(app).__module__, type(app).__name__, app.log.name, app.log.level, app.log.propagate,
    console, app.extra_args, len(app.argv) > 1, app.connection_file == sys.argv[2],
    str(get_ipython().history_manager.hist_file), sorted(app.config), sorted(app.cli_config),
    app.parent_handle == os.getppid(), get_ipython()._sys_modules_keys <= set(sys.modules),
    len(get_ipython()._sys_modules_keys) > 500,
]
print("REPORT" + json.dumps(report))
"""
LEAK = """
import os, random, sys, types, warnings, numpy
LEAKED = 1; sys.__leaked__ = 1; os.environ["LEAKED"] = "1"; os.chdir("/")
random.seed(1); numpy.random.seed(1); os.umask(0o77); sys.path.insert(0, "/leaked")
sys.modules["leaky_module"] = types.ModuleType("leaky_module"); warnings.simplefilter("error")
import builtins; builtins.LEAKED = 1
"""

Report = Callable[..., dict[str, Any]]


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Run cells in a workspace and give the report of the last."""

    def run(home: Path, *cells: str) -> dict[str, Any]:
        path = write_notebook(tmp_path / "report.ipynb", *cells)
        done = perijove("job", "submit", str(path), "--wait", "--json", home=home)
        job = json.loads(done.stdout)
        assert job["state"] == "succeeded", (job["reason"], job["message"])
        log = json.loads(perijove("job", "logs", job["id"], "--json", home=home).stdout)["log"]
        lines = [line for line in log.splitlines() if line.startswith("REPORT")]
        found: dict[str, Any] = json.loads(lines[-1].removeprefix("REPORT")) if lines else {}
        events = perijove("job", "logs", job["id"], home=home)
        assert events.returncode == 0
        return found | {"warm": _was_warm(home, job["id"])}

    return run


def _was_warm(home: Path, job_id: str) -> bool:
    lines = (home / "workspaces/default/jobs" / job_id / "events.jsonl").read_text().splitlines()
    attempts = [event for event in map(json.loads, lines) if event["type"] == "attempt"]
    return bool(attempts[-1]["data"]["warm"])


def warm(home: Path, report: Report, cells: str) -> dict[str, Any]:
    """The report of a job that was forked: on a busy machine the first ones are not."""
    for _ in range(10):
        if (found := report(home, cells))["warm"]:
            return found
    pytest.fail("no job was forked")


def test_what_one_job_leaves_the_next_does_not_see(session_home: Path, report: Report) -> None:
    warm(session_home, report, LEAK)
    found = warm(session_home, report, REPORT)
    assert found["leaked"] == []
    assert not found["modules"]
    assert "LEAKED" not in found["environ"]
    assert "/leaked" not in found["path"]
    assert found["cwd"] != "/"
    assert found["umask"] == 0o22
    again = report(session_home, REPORT)
    for name in ("random", "numpy", "tempfile", "cwd"):
        assert found[name] != again[name], name


def test_a_forked_kernel_looks_like_an_ordinary_one(
    session_home: Path, home: Path, report: Report
) -> None:
    configure(home, warm_start=False)
    forked, ordinary = warm(session_home, report, REPORT), report(home, REPORT)
    assert not ordinary["warm"]
    same = ("app", "argv", "blas", "signals", "umask", "main", "gc", "loop")
    assert {k: forked[k] for k in same} == {k: ordinary[k] for k in same}
    # jupyter_client tells an ordinary kernel where its own files are; the rest is the same
    assert set(forked["environ"]) ^ set(ordinary["environ"]) <= {
        "JPY_SESSION_NAME",
        "LINES",
        "COLUMNS",
    }
    assert [Path(p).name for p in forked["path"]] == [Path(p).name for p in ordinary["path"]]
    kinds = {"socket", "anon_inode", "pipe"}
    assert {d for d in forked["descriptors"] if d not in kinds} <= {
        d for d in ordinary["descriptors"] if d not in kinds
    } | {"/dev/null"} | {d for d in forked["descriptors"] if d.endswith("log.txt")}


def test_forks_have_one_owner_and_no_zombies(session_home: Path, report: Report) -> None:
    report(session_home, "import subprocess; subprocess.Popen(['sleep', '300'])")
    left = [entry.name for entry in Path("/proc").glob("[0-9]*") if _command(entry) == "sleep 300"]
    assert left == []


def _command(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""
