"""Kernels on this machine keep the contract: forked, started the ordinary way, encrypted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
import zmq

from perijove.abc import KernelHost
from perijove.compute.instance.kernels import Kernels
from perijove.compute.zygote import Zygote
from perijove.models.kernels import PROCESS, KernelRequest
from perijove.testing.kernels import KernelHostContract, client_of, evaluate

pytestmark = [pytest.mark.integration, pytest.mark.asyncio]


class TestOrdinary(KernelHostContract):
    @asynccontextmanager
    async def make_host(self, folder: Path) -> AsyncIterator[KernelHost]:
        host = Kernels(folder)
        host.adopt()
        yield host

    async def test_one_whose_starter_was_killed_is_found(self, tmp_path: Path) -> None:
        request = self.request()
        async with self.host(tmp_path) as host:
            first = await host.start(request)
            (tmp_path / request.kernel_id / PROCESS).unlink()
            async with self.make_host(tmp_path) as other:
                assert (await other.start(request)).pid == first.pid


class TestForked(KernelHostContract):
    @asynccontextmanager
    async def make_host(self, folder: Path) -> AsyncIterator[KernelHost]:
        zygote = Zygote(["numpy"], folder.parent / "zygote.log")
        await zygote.start()
        await zygote.ready.wait()
        try:
            host = Kernels(folder, lambda: zygote)
            host.adopt()
            yield host
        finally:
            await zygote.close()

    async def test_it_is_forked_and_looks_like_any_other(self, tmp_path: Path) -> None:
        async with self.host(tmp_path / "kernels") as host:
            (tmp_path / "work").mkdir()
            info = await host.start(self.request(cwd=str(tmp_path / "work"), environment="python3"))
            assert "perijove.runner.zygote" in psutil.Process(info.pid).cmdline()
            code = "import os, sys; print(os.getcwd(), sys.argv[0], '__file__' in globals())"
            async with client_of(info.connection) as client:
                told = await evaluate(client, code)
                assert told == f"{tmp_path / 'work'} ipykernel_launcher False"
                assert await evaluate(client, "print('perijove' in dir(), len(Out))") == "False 0"

    async def test_it_listens_on_loopback_only(self, tmp_path: Path) -> None:
        async with self.host(tmp_path / "kernels") as host:
            info = await host.start(self.request())
            # every user of the machine can connect there
            assert info.connection.curve_publickey
            async with client_of(info.connection):
                opened = psutil.Process(info.pid).net_connections()
            listening = [entry for entry in opened if entry.status == psutil.CONN_LISTEN]
            assert {entry.laddr.port for entry in listening} >= set(info.connection.ports)
            assert {entry.laddr.ip for entry in listening} == {"127.0.0.1"}


async def test_off_loopback_the_channels_are_encrypted(tmp_path: Path) -> None:
    # an address that is this machine's own, but for the code is a network's
    addresses = psutil.net_if_addrs().values()
    found = [a.address for group in addresses for a in group if a.family.name == "AF_INET"]
    outside = [address for address in found if not address.startswith("127.")]
    if not outside:
        pytest.skip("this machine has no address but loopback ones")
    host = Kernels(tmp_path, ip=outside[0])
    host.adopt()
    request = KernelRequest(kernel_id="7d4d9e7e-95c5-4a0c-9a0b-0f0f0f0f0f0f")
    info = await host.start(request)
    try:
        assert info.connection.curve_secretkey
        async with client_of(info.connection) as client:
            assert await evaluate(client, "print(1)") == "1"
        plain = info.connection.model_copy(
            update={"curve_publickey": None, "curve_secretkey": None}
        )
        from jupyter_client.asynchronous.client import AsyncKernelClient

        client = AsyncKernelClient()
        client.load_connection_info(plain.model_dump(exclude_none=True))
        # once the kernel has refused it there is nobody to send to, and it would wait for ever
        client.context.sndtimeo = 1000
        client.start_channels()
        with pytest.raises((RuntimeError, zmq.Again)):
            await client.wait_for_ready(2)
        client.stop_channels()
    finally:
        await host.end(request.kernel_id)
