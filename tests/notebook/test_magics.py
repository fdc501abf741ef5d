"""The magics in a real kernel, with a real hub behind them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from conftest import perijove, write_notebook

pytestmark = pytest.mark.integration

HANGS = 120
"""Seconds without a message after which the kernel is given up."""


@dataclass
class Ran:
    """What a cell left: text, and the pages it displayed."""

    stdout: str = ""
    stderr: str = ""
    shown: list[dict[str, str]] = field(default_factory=list)
    error: str | None = None


class Kernel:
    """A notebook's kernel and its front end."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient, home: Path) -> None:
        self.manager = manager
        self.client = client
        self.home = home
        self.updates: list[dict[str, str]] = []

    def start(self, code: str) -> str:
        return str(self.client.execute(code))

    def finish(self, request: str) -> Ran:
        ran = Ran()
        while True:
            message = self._next()
            kind, content = message["msg_type"], message["content"]
            if message["parent_header"].get("msg_id") != request:
                continue
            if kind == "stream":
                said = getattr(ran, content["name"]) + click.unstyle(content["text"])
                setattr(ran, content["name"], said)
            elif kind == "display_data":
                ran.shown.append(content["data"])
            elif kind == "error":
                ran.error = "\n".join(content["traceback"])
            elif kind == "status" and content["execution_state"] == "idle":
                return ran

    def run(self, code: str) -> Ran:
        return self.finish(self.start(code))

    def good(self, code: str) -> Ran:
        ran = self.run(code)
        assert ran.error is None, ran.error
        return ran

    def update(self, *words: str) -> dict[str, str]:
        """The next page that replaces one and has all of the words."""
        while True:
            while not self.updates:
                self._next()
            page = self.updates.pop(0)
            if all(word in page["text/html"] for word in words):
                return page

    def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = self.client.get_iopub_msg(timeout=HANGS)
        if message["msg_type"] == "update_display_data":
            self.updates.append(message["content"]["data"])
        return message

    def jobs(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(
            perijove("job", "list", "--json", home=self.home).stdout
        )
        return listed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the notebook of the kernel is."""
    return tmp_path_factory.mktemp("churn")


@pytest.fixture(scope="module")
def kernel(session_home: Path, folder: Path) -> Iterator[Kernel]:
    manager = KernelManager(kernel_name="python3")
    environ = os.environ | {
        "PERIJOVE_HOME": str(session_home),
        "IPYTHONDIR": str(session_home / "ipython"),
    }
    manager.start_kernel(cwd=str(folder), env=environ)
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=HANGS)
    made = Kernel(manager, client, session_home)
    made.good("%load_ext perijove")
    yield made
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_line_is_the_command_line(kernel: Kernel, folder: Path) -> None:
    path = write_notebook(folder / "line.ipynb", "print(lr)", parameters="lr = 0")
    ran = kernel.good(f"%perijove job submit {path.name} -p lr=0.5 --name lined --wait")
    assert "lined succeeded" in ran.stdout
    code = "jobs = %perijove job list\nprint([job.state for job in jobs if job.name == 'lined'])"
    listed = kernel.good(code)
    assert listed.stdout == "['succeeded']\n"
    [shown] = [job for job in kernel.jobs() if job["name"] == "lined"]
    assert shown["parameters"] == {"lr": 0.5}
    asked = json.loads(kernel.good(f"%perijove job show {shown['id'][:8]} --json").stdout)
    assert asked == shown


def test_lists_are_dataframes(kernel: Kernel) -> None:
    for command, column in (("experiment list", "name"), ("model list", "aliases")):
        ran = kernel.good(f"found = %perijove {command}\nprint(found[{column!r}].tolist())")
        assert ran.stdout.startswith("[")
        assert ran.stderr == ""
    assert isinstance(json.loads(kernel.good("%perijove model list --json").stdout), list)


def test_what_is_listed_is_a_widget_on_request(kernel: Kernel) -> None:
    kernel.good("import perijove as pj; pj.Workspace().experiments.create('shown')")
    ran = kernel.good(
        "table = %perijove run list shown --order-by 'metrics.auc desc' --limit 5 --widget\n"
        "print(type(table).__name__, table.order_by, table.limit, table.data['page']['total'])"
    )
    assert ran.stdout == "RunTable ['metrics.auc desc'] 5 0\n"


@pytest.mark.parametrize(
    ("line", "proposed"),
    [
        ("%perijove run co", ["compare"]),
        ("found = %perijove run list shown --or", ["--order-by"]),
        ("%perijove run list shown --wid", ["--widget"]),
        ("%perijove run tag --wid", []),
    ],
)
def test_tab_proposes_what_the_command_line_takes(
    kernel: Kernel, line: str, proposed: list[str]
) -> None:
    answer = kernel.client.complete(line, len(line), reply=True, timeout=HANGS)
    ours = {"compare", "--order-by", "--widget"}
    assert ours.intersection(answer["content"]["matches"]) == set(proposed)


def test_a_cell_becomes_a_job_with_its_options(kernel: Kernel, folder: Path) -> None:
    (folder / "beside.py").write_text("FACTOR = 3")
    ran = kernel.good(
        "%%perijove job --name mine --experiment rates -p lr=0.5 -r text=1 --tag team=red"
        " --retries 1 --wait\n"
        "import beside, mlflow\n"
        "assert (lr, text) == (0.5, '1')\n"
        "mlflow.log_metric('tripled', lr * beside.FACTOR)\n"
    )
    [card] = ran.shown
    assert "succeeded" in card["text/html"]
    assert "name='mine', state='succeeded'" in card["text/plain"]
    ran = kernel.good(
        "job = _\n"
        "print([type(job).__name__, job.state, job.name, job.experiment, job.parameters,"
        " job.tags, job.retries, job.run.metrics])"
    )
    assert ran.stdout.strip() == str(
        ["Job", "succeeded", "mine", "rates", {"lr": 0.5, "text": "1"}, {"team": "red"}, 1,
         {"tripled": 1.5}]
    )  # fmt: skip
    assert "unknown parameter" not in kernel.good("print(job.logs())").stdout
    assert list(folder.glob(".cell-*")) == []


def test_a_cell_without_options_is_named_and_filed_by_its_folder(
    kernel: Kernel, folder: Path
) -> None:
    kernel.good("%%perijove job submit --wait\nprint(1)")
    ran = kernel.good("print(_.name, _.experiment, _.state)")
    assert ran.stdout.split() == ["cell", folder.name, "succeeded"]


def test_the_card_of_a_cell_is_live_until_its_job_is_over(kernel: Kernel) -> None:
    ran = kernel.good("%%perijove job --name <hm>\n1")
    assert (ran.shown, "a name must not contain" in ran.stderr) == ([], True)
    ran = kernel.good("%%perijove job --name seen\nimport mlflow; mlflow.log_metric('auc', 0.25)")
    assert len(ran.shown) == 1
    page = kernel.update("succeeded", "auc", "0.25")
    assert "state='succeeded'" in page["text/plain"]


def test_a_cell_that_fails_is_a_failed_job_and_no_traceback(kernel: Kernel) -> None:
    ran = kernel.good("%%perijove job --wait\n1 / 0")
    [card] = ran.shown
    assert "failed" in card["text/html"]
    assert "ZeroDivisionError: division by zero" in card["text/html"]


def test_an_interrupt_ends_the_waiting_and_not_the_job(kernel: Kernel) -> None:
    request = kernel.start("%%perijove job --name long --wait\nimport time; time.sleep(600)")
    while not [j for j in kernel.jobs() if (j["name"], j["state"]) == ("long", "running")]:
        pass
    kernel.manager.interrupt_kernel()
    ran = kernel.finish(request)
    assert (ran.error, ran.stderr) == (None, "Interrupted.\n")
    assert "name='long'" in ran.shown[0]["text/plain"]
    ran = kernel.good("job = _\nprint(job.state, job.cancel().wait().state)")
    assert ran.stdout.split() == ["running", "canceled"]
    assert "state='canceled'" in kernel.update("canceled")["text/plain"]


WRONG = {
    "%perijove frobnicate": "frobnicate",
    "%perijove job submit nowhere.ipynb": "nowhere.ipynb does not exist",
    "%perijove job show ffffffff": "ffffffff",
    "%perijove job list --bogus": "--bogus",
    "%perijove job list --limit many": "--limit",
    "%perijove job 'unclosed": "quotation",
    "%perijove job list --workspace a/b": "workspace name",
    "%perijove run tag x --widget": "--widget does not go with this command",
    "%perijove run list x --deleted --widget": "--deleted does not go with --widget",
    "%%perijove job --bogus\n1": "--bogus",
    "%%perijove job --retries many\n1": "--retries",
    "%%perijove job -p lr\n1": "-p must be name=value",
    "%%perijove job -p class=1\n1": "keyword",
    "%%perijove job --tag red\n1": "--tag must be name=text",
    "%%perijove job --compute nowhere\n1": "nowhere",
    "%%perijove job 'unclosed\n1": "quotation",
    "%%perijove experiment list\n1": "%%perijove job",
    "%%perijove\n1": "%%perijove job",
    "%%perijove job\n  \n": "empty",
    # what a cell cannot have is refused and not ignored
    "%%perijove job other.ipynb\n1": "PATH",
    "%%perijove job -f job.yaml\n1": "-f",
    "%%perijove job --save\n1": "--save",
    "%%perijove job --dry-run\n1": "--dry-run",
    "%%perijove job --json\n1": "--json",
}


@pytest.mark.parametrize("code", WRONG)
def test_a_wrong_command_is_answered_in_two_lines_and_submits_nothing(
    kernel: Kernel, folder: Path, code: str
) -> None:
    before = len(kernel.jobs())
    ran = kernel.good(code)
    assert (ran.stdout, ran.shown) == ("", [])
    assert "Error:" in ran.stderr
    assert WRONG[code] in ran.stderr
    assert 1 <= len(ran.stderr.splitlines()) <= 2
    assert len(kernel.jobs()) == before
    assert list(folder.glob(".cell-*")) == []


@pytest.mark.parametrize("code", ["%perijove job list", "%%perijove job\n1"])
def test_a_home_that_cannot_be_made_is_answered_in_two_lines(kernel: Kernel, code: str) -> None:
    kernel.good("import os; kept = os.environ['PERIJOVE_HOME']")
    kernel.good("os.environ['PERIJOVE_HOME'] = '/dev/null/home'")
    ran = kernel.good(code)
    kernel.good("os.environ['PERIJOVE_HOME'] = kept")
    assert "cannot be made or written" in ran.stderr
    assert len(ran.stderr.splitlines()) == 2


def test_help_of_a_cell_is_printed(kernel: Kernel) -> None:
    ran = kernel.good("%%perijove job --help\n1")
    assert "--experiment NAME" in ran.stdout
    assert ran.stderr == ""
