"""The papermill engine ``perijove``.

As plain papermill's engine it does what papermill's own does. In an attempt it also reports what
happens as it happens, keeps the executed notebook on disk, bounds the output, and believes the
kernel rather than the notebook: papermill marks cells *completed* after a kernel has died.
"""

from __future__ import annotations

import asyncio
import math
import time
from queue import Empty
from typing import TYPE_CHECKING, Any

from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.client import KernelClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager
from papermill.log import logger

from perijove.faults import step
from perijove.runner.manager import ForkedKernelManager
from perijove.runner.output import Outputs, merge_streams

if TYPE_CHECKING:
    from perijove.runner.notebook import NotebookAttempt

READY = 60.0
"""Seconds a kernel has to answer its first request."""
ASK_AGAIN = 0.1
"""Seconds after which a kernel whose IOPub was not connected yet is asked again."""

IOPUB = 60
"""Seconds for the output of a cell that has ended to arrive; nbclient's 4 s lose some of much."""
LOOK_AGAIN = 0.1
"""Seconds after which a reply that was not announced is found."""
NUDGE = 1.0
"""Seconds without the end of an ended cell's output after which the kernel is asked something."""


class PerijoveEngine(NBClientEngine):
    """See the module's docstring."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        attempt: NotebookAttempt | None = None,
        **kwargs: Any,
    ) -> Any:
        if attempt is None:
            return super().execute_managed_notebook(nb_man, kernel_name, **kwargs)
        attempt.begin(nb_man.nb)
        client = AttemptClient(
            nb_man,
            attempt,
            kernel_name=kernel_name,
            log=logger,
            timeout=None,
            iopub_timeout=IOPUB,
            record_timing=True,
        )
        return client.execute(cwd=attempt.spec.workdir)


class AttemptClient(PapermillNotebookClient):
    """Runs the cells of an attempt."""

    def __init__(self, nb_man: Any, attempt: NotebookAttempt, **kwargs: Any) -> None:
        super().__init__(nb_man, km=attempt.manager(), **kwargs)
        self.owns_km = True
        self._attempt = attempt
        self._outputs = Outputs(attempt.spool, attempt.spec.output_limit)

    async def async_start_new_kernel_client(self) -> KernelClient:
        """Like nbclient's, but ready as soon as the kernel is: nbclient's own check always
        waits 0.2 s for messages that may come, where we wait for the one that must."""
        assert self.km is not None
        self.kc = self.km.client()
        self.kc.shell_channel_class = ShellChannel
        self.kc.start_channels()
        await self._wait_ready(self.kc)
        self.kc.allow_stdin = False
        step("run.kernel")
        return self.kc

    start_new_kernel_client = None  # set below: nbclient binds its own at class creation

    async def _wait_ready(self, client: Any) -> None:
        deadline = time.monotonic() + READY
        answered = heard = False
        while not (answered and heard):
            request = client.kernel_info()
            again = time.monotonic() + ASK_AGAIN * (1 if answered or not heard else 10)
            while not (answered and heard) and time.monotonic() < again:
                if not answered:
                    reply = await _message(client.shell_channel, ASK_AGAIN)
                    answered = reply is not None and reply["msg_type"] == "kernel_info_reply"
                    if answered and reply is not None:
                        self._attempt.kernel_info(reply["content"])
                elif (message := await _message(client.iopub_channel, ASK_AGAIN)) is not None:
                    parent = message["parent_header"].get("msg_id")
                    idle = message["content"].get("execution_state") == "idle"
                    heard = parent == request and message["msg_type"] == "status" and idle
            if not await _alive(self.km):
                raise DeadKernelError("Kernel died before it answered")
            if time.monotonic() > deadline:
                raise RuntimeError(f"The kernel did not answer within {READY:.0f} s")

    async def _async_poll_kernel_alive(self) -> None:
        """A forked kernel's death is known at once, another's by looking ten times a second."""
        if isinstance(self.km, ForkedKernelManager):
            await self.km.forked.gone()
        else:
            while await _alive(self.km):
                await asyncio.sleep(0.1)
        if self.task_poll_for_reply is not None:
            # what the kernel said before it died is still read
            await asyncio.sleep(0.05)
            self.task_poll_for_reply.cancel()

    async def _async_poll_for_reply(
        self, msg_id: str, cell: Any, timeout: Any, output: asyncio.Future[Any], alive: Any
    ) -> dict[str, Any]:
        """nbclient's, but it does not just wait for the output of a cell that has ended."""
        all_output = self._nudge_until(output)
        try:
            reply: dict[str, Any] = await super()._async_poll_for_reply(
                msg_id, cell, timeout, all_output, alive
            )
        finally:
            all_output.close()  # nobody waits for it where no reply came
        return reply

    async def _nudge_until(self, output: asyncio.Future[Any]) -> None:
        """Wait for `output`. Where something cannot be sent (half a surrogate pair), ipykernel's
        IOPub thread keeps what comes after it, until another of its threads has news."""
        assert self.kc is not None
        while not (await asyncio.wait({output}, timeout=NUDGE))[0]:
            self.kc.control_channel.send(self.kc.session.msg("kernel_info_request", {}))
        output.result()

    def papermill_execute_cells(self) -> None:
        """papermill's loop, with a report before and after each cell."""
        for index, cell in enumerate(self.nb.cells):
            is_code = cell.cell_type == "code"
            begun, ran, failed = time.monotonic(), False, False
            self._outputs.cell = index
            if is_code:
                self._attempt.cell_started(index)
            try:
                self.nb_man.cell_start(cell, index)
                self.execute_cell(cell, index)
                ran = True
            except CellExecutionError as error:
                failed = True
                # as papermill: the first error is what came about, a debugger's comes after it
                errors = [o for o in cell.outputs if o.output_type == "error"]
                first = errors[0] if errors else error
                self._attempt.cell_failed(index, first.ename, first.evalue)
                self.nb_man.cell_exception(cell, cell_index=index, exception=error)
            finally:
                self.nb_man.cell_complete(cell, cell_index=index)
                self._outputs.flush()
                if is_code:
                    took = time.monotonic() - begun if cell.source.strip() else 0
                    self._attempt.cell_finished(index, cell, ran, took)
            if failed:
                break

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Keep and report what the kernel says, up to the limit."""
        if not self._outputs.admit(msg, cell):
            return None
        before = len(cell.get("outputs", ()))
        output: NotebookNode | None = super().process_message(msg, cell, cell_index)
        self._outputs.report(msg, cell, before, output)
        if output is not None and cell is not None:
            merge_streams(cell.outputs)
        self._attempt.autosave()
        return output


class ShellChannel(AsyncZMQSocketChannel):
    """nbclient answers Output widgets on this channel while it waits for a cell's reply here. If
    the reply comes just then, sending takes the news of it, and one would wait for ever."""

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            try:
                left = max(0.0, deadline - time.monotonic())
                found: dict[str, Any] = await super().get_msg(min(LOOK_AGAIN, left))
                return found
            except Empty:
                if time.monotonic() >= deadline:
                    raise


def _bind_sync() -> None:
    from nbclient.util import run_sync

    AttemptClient.start_new_kernel_client = run_sync(AttemptClient.async_start_new_kernel_client)


_bind_sync()


async def _message(channel: Any, timeout: float) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = await channel.get_msg(timeout=timeout)
    except Empty:
        return None
    return found


async def _alive(manager: Any) -> bool:
    return bool(await manager.is_alive())
