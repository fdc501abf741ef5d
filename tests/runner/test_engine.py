"""What the engine adds to nbclient, and a fork to ipykernel."""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import papermill.execute  # noqa: F401  it imports the engine
import pytest
import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.session import Session

from perijove.runner.engine import ShellChannel
from perijove.runner.kernelapp import FilesOfModules
from perijove.runner.manager import ForkedKernelManager


@pytest.mark.asyncio
async def test_a_reply_that_comes_while_a_widget_is_answered_is_found() -> None:
    session = Session(key=b"key")
    with zmq.asyncio.Context() as context:
        kernel, client = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
        port = kernel.bind_to_random_port("tcp://127.0.0.1")
        client.connect(f"tcp://127.0.0.1:{port}")
        channel = ShellChannel(client, session)
        channel.send(session.msg("execute_request"))
        who, *_ = await kernel.recv_multipart()
        waiting = asyncio.create_task(channel.get_msg())
        await asyncio.sleep(0)
        session.send(kernel, "execute_reply", ident=who)
        time.sleep(0.05)  # the reply is there before the loop looks
        channel.send(session.msg("comm_msg"))
        reply = await asyncio.wait_for(waiting, 30)
        assert reply["msg_type"] == "execute_reply"
        kernel.close()
        client.close()


@pytest.mark.asyncio
async def test_the_end_of_a_forked_kernel_is_seen_by_its_clients() -> None:
    manager = ForkedKernelManager()
    client = AsyncKernelClient(parent=manager)
    for status in (None, 0):
        manager.forked = SimpleNamespace(poll=lambda: status)  # type: ignore[assignment]  # noqa: B023
        assert await client.is_alive() is (status is None)


def test_the_frames_of_cells_are_not_looked_for_among_all_modules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cell = compile("1", f"/tmp/ipykernel_{os.getpid()}/1.py", "exec")
    known = FilesOfModules({__file__: __name__})
    monkeypatch.setattr(inspect, "modulesbyfile", known)
    monkeypatch.setattr(sys, "modules", _Unsearchable(sys.modules))
    assert inspect.getmodule(cell) is None
    assert inspect.getmodule(FilesOfModules).__name__ == FilesOfModules.__module__  # type: ignore[union-attr]


class _Unsearchable(dict[str, Any]):
    def copy(self) -> dict[str, Any]:
        raise AssertionError("all modules were searched")


def test_pandas_is_imported_as_in_a_notebook() -> None:
    code = (
        "from perijove.runner.modules import load; load('pandas'); import builtins, pandas\n"
        "print(pandas.get_option('display.max_columns'), hasattr(builtins, 'get_ipython'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["20", "False"]
