"""Attempts on nodes that do not share the hub's disk: each is carried by a `Courier`.

The couriers of a worker run in one event loop, in a thread of their own; the Dask task of an
attempt waits for its courier.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import threading
from contextlib import suppress
from pathlib import Path

from perijove.compute.builds import UvBuilder
from perijove.compute.cluster.node import run_here
from perijove.compute.instance.courier import Courier, Start
from perijove.compute.instance.gate import Gate, GateError
from perijove.compute.relay import Relay, connect
from perijove.models.agents import AttemptOrder, GateAddress
from perijove.models.processes import current_process, runtime_dir

ATTEMPTS = "attempts"


class Carrier:
    """The couriers of this worker."""

    def __init__(self, folder: Path) -> None:
        """`folder`: of the worker's own; attempts lie there until they are delivered."""
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._folder = folder
        self._couriers: dict[str, Courier] = {}
        self._gates: dict[str, tuple[Gate, str]] = {}
        self._builder = UvBuilder(folder / "environments", self._fetch)
        self._lock: asyncio.Lock | None = None
        self._poke = runtime_dir() / f"worker-{os.getpid()}.poke"
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="couriers", daemon=True).start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def carry(self, order: AttemptOrder, address: GateAddress, gpus: int, name: str) -> None:
        """Run the attempt; returns when everything of it is with the hub."""

        async def start(folder: str) -> None:
            await asyncio.to_thread(run_here, folder, gpus, name)

        asyncio.run_coroutine_threadsafe(self._carry(order, address, start), self._loop).result()

    def tracking_uri(self, address: GateAddress) -> str:
        """MLflow's address behind the gate, for what runs here."""
        return asyncio.run_coroutine_threadsafe(self._gate(address), self._loop).result()[1]

    def end(self, key: str, at_once: bool) -> None:
        """Ask the attempt's runner to end; with `at_once` nothing more is wanted of it."""
        courier = self._couriers.get(key)
        if courier is not None:
            self._loop.call_soon_threadsafe(courier.end, at_once)

    async def _carry(self, order: AttemptOrder, address: GateAddress, start: Start) -> None:
        gate, tracking_uri = await self._gate(address)
        folder = self._folder / ATTEMPTS / order.job_id / str(order.attempt)
        # another worker would not look here for what this one has left
        courier = Courier(
            order, folder, lambda: gate, tracking_uri, self._builder.build, current_process()
        )
        self._couriers[order.key] = courier
        try:
            await courier.run(start, str(self._poke))
        finally:
            del self._couriers[order.key]
            with suppress(OSError):
                folder.parent.rmdir()

    async def _fetch(self, digest: str, file: Path) -> None:
        """What one of the attempts here waits for."""
        for courier in self._couriers.values():
            if courier.environment == digest:
                await courier.fetch_wheels(file)
                return
        raise GateError("no attempt waits for the environment any more")

    async def _gate(self, address: GateAddress) -> tuple[Gate, str]:
        """The gate, and MLflow's address behind it."""
        key = address.model_dump_json()
        assert self._lock is not None
        async with self._lock:
            if key not in self._gates:
                uri = address.url
                if address.socket is not None or address.certificate is not None:
                    # what user code speaks is plain HTTP
                    note = self._folder / f"relay-{len(self._gates)}"
                    self._folder.mkdir(parents=True, exist_ok=True)
                    uri = await Relay(lambda: connect(address)).listen_again(note)
                self._gates[key] = Gate(address, ""), uri
            return self._gates[key]

    async def _listen(self) -> None:
        self._lock = asyncio.Lock()
        self._poke.unlink(missing_ok=True)
        poke = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        poke.bind(str(self._poke))
        self._poke.chmod(0o600)
        poke.setblocking(False)
        self._loop.add_reader(poke.fileno(), self._poked, poke)

    def _poked(self, poke: socket.socket) -> None:
        with suppress(BlockingIOError):
            while data := poke.recv(1 << 16):
                with suppress(ValueError, KeyError, TypeError):
                    message = json.loads(data)
                    courier = self._couriers.get(f"{message['job_id']}/{message['attempt']}")
                    if courier is not None:
                        courier.poked.set()


_carrier: Carrier | None = None
_making = threading.Lock()


def carry_attempt(order: AttemptOrder, address: GateAddress, gpus: int) -> str:
    """Fetch the attempt from the hub, run it here and bring back what it made. A Dask task."""
    from distributed import get_worker

    _here().carry(order, address, gpus, str(get_worker().name))
    return "ended"


def tracking_uri(address: GateAddress) -> str:
    """MLflow's address behind the gate, for the attempts of this worker."""
    return _here().tracking_uri(address)


def _here() -> Carrier:
    from distributed import get_worker

    global _carrier
    with _making:
        if _carrier is None:
            _carrier = Carrier(Path(get_worker().local_directory) / "perijove")
        return _carrier


async def end_carried(key: str, at_once: bool) -> None:
    """End the attempt, if it is carried here. Run by Dask."""
    if _carrier is not None:
        _carrier.end(key, at_once)
