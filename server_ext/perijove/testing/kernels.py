"""The contract of kernel hosts: subclass `KernelHostContract` and say how yours is made."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from queue import Empty
from typing import Any
from uuid import uuid4

import pytest

from perijove.abc import KernelHost
from perijove.errors import NotFound
from perijove.models.kernels import Connection, KernelInfo, KernelRequest, KernelState
from perijove.models.processes import start_time

PATIENCE = 60


@asynccontextmanager
async def client_of(connection: Connection) -> AsyncIterator[Any]:
    """A Jupyter client that is ready."""
    from jupyter_client.asynchronous.client import AsyncKernelClient

    client = AsyncKernelClient()
    client.load_connection_info(connection.model_dump(exclude_none=True))
    client.start_channels()
    try:
        await _ready(client)
        yield client
    finally:
        client.stop_channels()


async def _ready(client: Any) -> None:
    """Alone, a client takes a kernel for dead that is silent for a second: ask it again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await client.wait_for_ready(PATIENCE)
                return
            except RuntimeError as error:
                if "died" not in str(error):
                    raise


async def evaluate(client: Any, code: str) -> str:
    """What the code prints; an error is raised with its name."""
    printed: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    answer = await client.execute_interactive(code, output_hook=hear, timeout=PATIENCE)
    if answer["content"]["status"] != "ok":
        raise RuntimeError(answer["content"]["ename"])
    return "".join(printed).strip()


async def until_dead(host: KernelHost, kernel_id: str) -> KernelInfo:
    """Wait for a kernel's own end."""
    for _ in range(PATIENCE * 20):
        info = await host.look(kernel_id)
        if info.state is KernelState.DEAD:
            return info
        await asyncio.sleep(0.05)
    raise AssertionError(f"{kernel_id} does not end")


class KernelHostContract:
    """What every kernel host does."""

    def make_host(self, folder: Path) -> AbstractAsyncContextManager[KernelHost]:
        """A host that keeps its kernels in `folder`; a second one there takes them over."""
        raise NotImplementedError

    @asynccontextmanager
    async def host(self, folder: Path) -> AsyncIterator[KernelHost]:
        async with self.make_host(folder) as host:
            try:
                yield host
            finally:
                for info in await host.list():
                    await host.end(info.kernel_id)

    def request(self, **fields: Any) -> KernelRequest:
        return KernelRequest.model_validate({"kernel_id": str(uuid4())} | fields)

    async def test_start_is_idempotent_and_takes_place(self, tmp_path: Path) -> None:
        async with self.host(tmp_path / "kernels") as host:
            request = self.request(environ={"COLOUR": "green"}, name="a.ipynb")
            first, second = await asyncio.gather(host.start(request), host.start(request))
            assert first.pid == second.pid
            assert await host.look(request.kernel_id)
            async with client_of(await host.reach(first)) as client:
                told = await evaluate(client, "import os; print(os.environ['COLOUR'], os.getpid())")
                assert told == f"green {first.pid}"
                assert await evaluate(client, "print(os.getsid(0) == os.getpid())") == "True"
            (listed,) = await host.list()
            assert listed.state is KernelState.RUNNING
            assert listed.name == "a.ipynb"
            assert listed.memory_used

    async def test_interrupt(self, tmp_path: Path) -> None:
        async with self.host(tmp_path / "kernels") as host:
            request = self.request()
            info = await host.start(request)
            async with client_of(await host.reach(info)) as client:
                client.execute("import time; print('begun', flush=True); time.sleep(600)")
                while (await client.get_iopub_msg(timeout=PATIENCE))["msg_type"] != "stream":
                    pass
                answer = None
                for _ in range(3):  # one that comes between two things may be lost: press again
                    await host.signal(request.kernel_id, signal.SIGINT)
                    with suppress(Empty):
                        answer = await client.get_shell_msg(timeout=PATIENCE / 3)
                        break
                assert answer is not None, "the kernel cannot be interrupted"
                assert answer["content"]["ename"] == "KeyboardInterrupt"

    async def test_a_dead_kernel_is_started_again_where_it_was(self, tmp_path: Path) -> None:
        async with self.host(tmp_path / "kernels") as host:
            request = self.request()
            first = await host.start(request)
            await host.signal(request.kernel_id, signal.SIGKILL)
            await until_dead(host, request.kernel_id)
            again = await host.start(request)
            assert again.pid != first.pid
            assert again.connection == first.connection
            async with client_of(await host.reach(again)) as client:
                assert await evaluate(client, "print(6 * 7)") == "42"

    async def test_end_leaves_nothing(self, tmp_path: Path) -> None:
        async with self.host(tmp_path / "kernels") as host:
            request = self.request()
            info = await host.start(request)
            async with client_of(await host.reach(info)) as client:
                code = "import subprocess; print(subprocess.Popen(['sleep', '999']).pid)"
                child = int(await evaluate(client, code))
            await host.end(request.kernel_id)
            assert [start_time(pid) for pid in (child, info.pid or 0)] == [None, None]
            assert await host.list() == []
            await host.end(request.kernel_id)
            with pytest.raises(NotFound):
                await host.signal(request.kernel_id, signal.SIGINT)

    async def test_a_kernel_outlives_its_host(self, tmp_path: Path) -> None:
        request = self.request()
        async with self.make_host(tmp_path / "kernels") as host:
            first = await host.start(request)
            async with client_of(await host.reach(first)) as client:
                await evaluate(client, "answer = 42")
        async with self.host(tmp_path / "kernels") as host:
            found = await host.start(request)
            assert found.pid == first.pid
            assert found.connection == first.connection
            async with client_of(await host.reach(found)) as client:
                assert await evaluate(client, "print(answer)") == "42"

    async def test_unknown_environment(self, tmp_path: Path) -> None:
        async with self.host(tmp_path / "kernels") as host:
            with pytest.raises(NotFound, match="no-such"):
                await host.start(self.request(environment="no-such"))
            assert await host.list() == []
