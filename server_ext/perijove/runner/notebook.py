"""An attempt at a notebook: papermill with our engine, and what it leaves."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillException, PapermillExecutionError
from papermill.execute import execute_notebook

from perijove.faults import step
from perijove.models.attempts import KEEPER, LOG, OUTPUT, RESERVE, AttemptSpec
from perijove.models.events import EventType
from perijove.models.jobs import FailureReason
from perijove.models.processes import runtime_dir
from perijove.runner.kernel import ForkedKernel, KeptKernel, WarmKernel, can_fork
from perijove.runner.manager import ForkedKernelManager
from perijove.runner.spare import is_plain
from perijove.runner.spool import Spool
from perijove.runner.stops import stops
from perijove.runner.verdicts import FULL, Failure, cell_failure, death, oom_kills

AUTOSAVE = 2.0
"""Seconds between two saves of the notebook while it runs; more where saving takes long."""
AUTOSAVE_SHARE = 20
"""Saving takes at most one of so many seconds."""
VERDICT_BYTES = 1 << 15
"""What stays of the reserve for the verdict, when the notebook has needed the rest."""


class NotebookAttempt:
    """Executes one notebook. `fork` must be called before any thread is started."""

    def __init__(self, spec: AttemptSpec, spool: Spool) -> None:
        self.spec = spec
        self.spool = spool
        self.kernel: dict[str, Any] = {}
        self._output = Path(spec.folder) / OUTPUT
        self._nb: Any = None
        self._cells: list[tuple[int, str, bool]] = []
        self._started = -1
        self._raised: tuple[int, str, str] | None = None
        self._save_after = 0.0
        self._forked: WarmKernel | None = None
        self._manager: Any = None
        self._oom = oom_kills()
        self._name = spec.environment or "python3"
        try:
            found = KernelSpecManager().get_kernel_spec(self._name)
        except NoSuchKernel:
            known = ", ".join(sorted(KernelSpecManager().find_kernel_specs()))
            raise Failure(
                FailureReason.ENVIRONMENT_FAILED,
                f"there is no kernel named {self._name!r}; there are: {known}",
            ) from None
        self._spec = found.to_dict()
        self.python = _program(self._spec) if self._spec.get("language") == "python" else ""

    def fork(self, warm: bool, waiting: ForkedKernel | None, zygote: str | None) -> None:
        """Take the kernel that waits, fork one or let one be forked, if that may be this
        notebook's."""
        may = warm and can_fork(self._spec, self.python)
        if may and waiting is not None and is_plain():
            waiting.assign(self.spec.workdir, dict(os.environ), str(Path(self.spec.folder) / LOG))
            self._forked = waiting
            return
        if waiting is not None:
            waiting.end(0)
        if may:
            self._forked = ForkedKernel(self.spec.workdir, dict(os.environ))
        elif zygote and self.spec.python and can_fork(self._spec, self.python, self.spec.python):
            folder = Path(self.spec.folder)
            with suppress(OSError):  # it does not answer: the kernel starts the ordinary way
                self._forked = KeptKernel(
                    zygote, self.spec.workdir, dict(os.environ), folder / LOG, folder / KEEPER
                )

    def interrupt(self) -> None:
        """A signal is about to end the attempt: let the cell that runs clean up."""
        if self._forked is not None:
            self._forked.interrupt()
        elif self._spec.get("interrupt_mode", "signal") == "signal":
            process = self._process()
            with suppress(OSError, AttributeError):
                # an ordinary kernel is started as the leader of its group
                os.killpg(process.pid, signal.SIGINT)

    def run(self) -> None:
        """Execute the notebook.

        Raises
        ------
        Failure: how it failed.
        Stopped: a signal ended it.
        OSError: the disk is full.
        """
        warm = self._forked is not None
        self.spool.emit((EventType.ATTEMPT, {"attempt": self.spec.attempt, "warm": warm}))
        _log_to(self.spool)
        try:
            execute_notebook(
                # papermill fills in what stands in braces
                self.spec.source.replace("{", "{{").replace("}", "}}"),
                None,
                parameters=self.spec.parameters,
                engine_name="perijove",
                kernel_name=self._name,
                language=self._spec.get("language"),
                progress_bar=False,
                attempt=self,
            )
        except DeadKernelError:
            status = self._kernel_status()
            failure = death(self._where("the kernel"), status, self._oom)
            # what somebody killed says nothing about the environment
            if not self.kernel and status != -signal.SIGKILL:
                failure = self._not_started(failure.message)
            raise failure from None
        except CellTimeoutError:
            what = self._where("the kernel ended it, but the rest of its output never came")
            raise Failure(FailureReason.KERNEL_DIED, what) from None
        except PapermillExecutionError as error:
            at = self._raised or (error.cell_index, error.ename, error.evalue)
            raise self._user_failure(*at) from None
        except PapermillException as error:
            raise Failure(FailureReason.USER_ERROR, str(error)) from None
        except (RuntimeError, OSError) as error:
            full = isinstance(error, OSError) and error.errno in FULL
            if self.kernel or self._nb is None or full:
                raise
            raise self._not_started(str(error)) from None
        except Exception as error:
            if self._nb is not None:
                raise
            said = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:300]}"
            what = f"papermill cannot read the notebook ({said}); save it with a current JupyterLab"
            raise Failure(FailureReason.USER_ERROR, what) from None
        else:
            self._check_complete()
        finally:
            # a kernel that was not shut down by nbclient (it died, or papermill never got to it)
            if self._forked is not None:
                self._forked.end(0)
            if self._nb is not None:
                self._save_last()

    def _not_started(self, why: str) -> Failure:
        return Failure(
            FailureReason.ENVIRONMENT_FAILED,
            f"the kernel {self._name!r} did not start: {why}; see the log",
        )

    # called by the engine

    def manager(self) -> Any:
        """The kernel's manager: the forked kernel's if it came up, else a new one's."""
        if self._forked is not None:
            if self._forked.wait_ready():
                self._manager = ForkedKernelManager(kernel_name=self._name)
                self._manager.adopt(self._forked)
                return self._manager
            logging.getLogger("papermill").warning(
                "The forked kernel did not come up; an ordinary one is started"
            )
            self._forked.end(0)
            self._forked = None
        self._manager = AsyncKernelManager(kernel_name=self._name)
        if self._spec.get("language") == "python":
            # no port to be had by others on this machine
            self._manager.transport = "ipc"
            self._manager.ip = str(runtime_dir() / f"i{os.getpid()}")
        return self._manager

    def begin(self, nb: Any) -> None:
        """The notebook is parameterised and about to run."""
        self._nb = nb
        # papermill's own marks cannot be used: it calls cells completed that never ran
        self._cells = [
            (index, cell.cell_type, bool(cell.source.strip()))
            for index, cell in enumerate(nb.cells)
        ]
        cells = [
            {
                "index": index,
                "id": cell.get("id", ""),
                "cell_type": cell.cell_type,
                "source": cell.source,
                "metadata": {"tags": cell.metadata.get("tags", [])},
            }
            for index, cell in enumerate(nb.cells)
        ]
        total = sum(cell.cell_type == "code" for cell in nb.cells)
        metadata = {
            key: nb.metadata[key] for key in ("kernelspec", "language_info") if key in nb.metadata
        }
        self.spool.emit(
            (EventType.NOTEBOOK, {"cells": cells, "metadata": metadata, "total": total})
        )

    def kernel_info(self, content: dict[str, Any]) -> None:
        """What the kernel says of itself."""
        language = content.get("language_info", {})
        self.kernel = {
            "name": self._name,
            "language": language.get("name"),
            "version": language.get("version"),
            "implementation": content.get("implementation"),
        }

    def cell_started(self, index: int) -> None:
        self._started = index
        self.spool.emit((EventType.CELL_STARTED, {"index": index}))

    def cell_failed(self, index: int, ename: str, evalue: str) -> None:
        """The cell raised, as the kernel says: its output may not, or may be cleared."""
        self._raised = (index, ename, evalue)

    def cell_finished(self, index: int, cell: Any, ok: bool, took: float) -> None:
        self.spool.emit(
            (
                EventType.CELL_FINISHED,
                {
                    "index": index,
                    "status": "ok" if ok else "error",
                    "execution_count": cell.get("execution_count"),
                    "duration": round(took, 6),
                },
            )
        )
        step("run.cell")
        self.autosave()

    def autosave(self) -> None:
        """Save, if that was not done lately."""
        begun = time.monotonic()
        if begun >= self._save_after:
            self.save()
            took = time.monotonic() - begun
            self._save_after = begun + max(AUTOSAVE, took * AUTOSAVE_SHARE)

    def save(self, final: bool = False) -> None:
        """Replace the output notebook; what was there stays whole until then.

        Raises
        ------
        OSError: the disk is full.
        """
        partial = self._output.with_name(f".{OUTPUT}")
        text = nbformat.writes(self._nb).encode("utf-8", "replace")
        with stops.held():
            try:
                with partial.open("wb") as file:
                    file.write(text)
                    if final:
                        file.flush()
                        os.fsync(file.fileno())
                os.replace(partial, self._output)
            except OSError:
                partial.unlink(missing_ok=True)
                raise
        if final:
            step("finish.output")

    def _save_last(self) -> None:
        try:
            self.save(final=True)
        except OSError:
            # a full disk fails the attempt; what was kept back still takes what its cells said
            with suppress(OSError):
                os.truncate(self._output.with_name(RESERVE), VERDICT_BYTES)
                self.save(final=True)
            raise

    # the verdict

    def _kernel_status(self) -> int | None:
        if self._forked is not None:
            return self._forked.poll()
        with suppress(Exception):
            return int(self._process().wait(1))
        return None

    def _process(self) -> Any:
        """An ordinary kernel's process; None: there is none."""
        return getattr(getattr(self._manager, "provisioner", None), "process", None)

    def _where(self, what: str) -> str:
        number, _ = self._progress(self._started)
        return f"cell {number}: {what}" if number else what

    def _user_failure(self, index: int, ename: str, evalue: str) -> Failure:
        number, left = self._progress(index)
        if ename == "SystemExit":
            return Failure(FailureReason.USER_ERROR, _exited(number, left, evalue))
        return cell_failure(number, ename, evalue)

    def _check_complete(self) -> None:
        """papermill takes ``sys.exit(0)`` for success; it is not while cells remain."""
        number, left = self._progress(self._started)
        if left and any(_exit_code(cell) is not None for cell in self._nb.cells):
            raise Failure(FailureReason.USER_ERROR, _exited(number, left, "0"))

    def _progress(self, at: int) -> tuple[int, int]:
        """(number of the code cell with the index `at`, code cells with text after it)."""
        code = [(index, text) for index, kind, text in self._cells if kind == "code"]
        number = sum(index <= at for index, _ in code)
        return number, sum(text and index > at for index, text in code)


def _exit_code(cell: Any) -> str | None:
    for output in cell.get("outputs", ()):
        if output.output_type == "error" and output.ename == "SystemExit":
            return str(output.evalue)
    return None


def _exited(number: int, left: int, code: str) -> str:
    cells = f"; {left} code cell{'s' * (left != 1)} did not run" if left else ""
    return f"cell {number}: sys.exit({code}) ended the notebook{cells}"


def _program(spec: dict[str, Any]) -> str:
    program = str((spec.get("argv") or [""])[0])
    if spec.get("language") == "python" and program in ("python", "python3"):
        return sys.executable  # jupyter_client does the same replacement
    return program


class _SpoolHandler(logging.Handler):
    def __init__(self, spool: Spool) -> None:
        super().__init__(logging.WARNING)
        self._spool = spool

    def emit(self, record: logging.LogRecord) -> None:
        text = f"{record.getMessage()}\n"
        with suppress(OSError):
            self._spool.emit((EventType.LOG, {"stream": "runner", "text": text}))


def _log_to(spool: Spool) -> None:
    logging.getLogger("papermill").addHandler(_SpoolHandler(spool))
