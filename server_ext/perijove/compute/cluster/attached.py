"""The process of an attached Dask scheduler: a client of it, and no more.

Workers come and go as whoever runs them likes. A worker that shares this machine's disk runs an
attempt in its folder; to others it is carried.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from distributed import Client, Security

from perijove.compute.cluster.attempts import LOOK, AttemptProcess
from perijove.compute.cluster.guests import Guest, Guests
from perijove.compute.cluster.node import PRELOAD, give_back, lend
from perijove.compute.cluster.protocol import CARRIED, DEFINITION, PROCESS
from perijove.compute.cluster.scaling import Waiting
from perijove.errors import Conflict, PerijoveError, Unreachable
from perijove.models.agents import GateAddress
from perijove.models.attempts import RUNNER, STATUS, RunnerProcess
from perijove.models.compute import ClusterState, Resources
from perijove.models.instances import CERTIFICATES, AttachedDefinition
from perijove.models.processes import boot_id, is_alive

log = logging.getLogger("perijove.cluster")

CONNECT = 10.0
"""Seconds a scheduler has to answer."""
CLAIM = 15.0
"""Seconds until an attempt whose scheduler has gone is started anew, if no runner has it."""
AGAIN = 15.0
"""Seconds until a worker that could not be used is looked at again."""
MARK = "disk"
"""A file that a worker sees which shares this machine's disk."""


class AttachedProcess(AttemptProcess):
    """See the module's docstring."""

    owns_nodes = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        text = (folder / DEFINITION).read_text()
        self._definition = AttachedDefinition.model_validate_json(text)
        self._pool = self._guests = Guests()
        self._mark = secrets.token_hex(16)
        (folder / MARK).write_text(self._mark)
        self._scheduler_id: str | None = None
        self._trouble: str | None = None
        self._other: str | None = None
        self._dashboard = ""
        self._orphans: dict[str, float] = {}

    async def run(self) -> None:
        """Serve until told to stop."""
        await self.serve()
        if self._client is not None:
            for guest in self._guests.all.values():
                if guest.trouble is None:
                    await self._on(guest, give_back_here, self._definition.name)
            await self._disconnect(None)
        (self._folder / PROCESS).unlink(missing_ok=True)

    @property
    def ready(self) -> bool:
        return self._scheduler_id is not None or self._trouble is not None

    def define(self, definition: dict[str, Any]) -> None:
        self._definition = AttachedDefinition.model_validate(definition)

    def gate_of(self, node: Guest) -> GateAddress | None:
        return None if node.shared else self._gate if node.socket else self._network_gate

    def is_far(self, node: Guest) -> bool:
        return not node.socket

    def state(self) -> ClusterState:
        nodes = self._guests.nodes()
        warnings = [f"{node.id}: {node.message}" for node in nodes if node.message]
        return ClusterState(
            nodes=nodes,
            target_nodes=len(nodes),
            waiting=len(self._queue),
            scheduler=self._definition.scheduler or "",
            dashboard=self._dashboard,
            certificates=self._definition.certificates or "",
            message=self._trouble or next(iter(warnings), self._other),
            reachable=self._trouble is None,
        )

    # the scheduler

    async def look(self) -> float:
        if self._gate is None:
            return LOOK  # what can be said of workers depends on how they reach the hub
        try:
            if self._client is None:
                self._client = await self._connect()
            assert self._client.scheduler is not None
            async with asyncio.timeout(CONNECT):
                found = await self._client.scheduler.identity()
                if found["id"] != self._scheduler_id:
                    self._other = _other(await self._client.scheduler.versions())
        except Exception as error:  # what runs there may be of any version
            await self._disconnect(error)
            return LOOK
        if found["id"] != self._scheduler_id:
            if self._scheduler_id is not None:
                log.info("The scheduler has been started anew")
                self._guests.all.clear()
                self._orphan_all()
            self._scheduler_id = found["id"]
        await self._see(found)
        self._settle()
        return LOOK

    async def _connect(self) -> Client:
        assert self._definition.scheduler is not None
        folder = self._definition.certificates
        client = Client(
            self._definition.scheduler,
            security=security(Path(folder)) if folder else None,
            asynchronous=True,
            set_as_default=False,
            timeout=CONNECT,
        )
        try:
            async with asyncio.timeout(2 * CONNECT):
                await client
        except BaseException:
            await client.close(timeout=1)
            raise
        return client

    async def _disconnect(self, error: BaseException | None) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                await asyncio.wait_for(client.close(timeout=2), 5)
        if error is None:
            return
        self._orphan_all()
        self._guests.all.clear()
        said = str(error) or (
            "not in time" if isinstance(error, TimeoutError) else type(error).__name__
        )
        where = f"The scheduler {self._definition.scheduler}"
        remedy = "Is it running, and are the certificates the ones it was started with?"
        if isinstance(error, (OSError, TimeoutError, ValueError)):
            self._trouble = f"{where} does not answer: {said}"
        else:
            ours = metadata.version("distributed")
            self._trouble = (
                f"{where} and the hub's Dask {ours} do not understand each other: {said}"
            )
            remedy = "Start it with the hub's version of Dask."
        log.warning("%s", self._trouble)
        self._refuse(Unreachable(self._trouble, field="scheduler", remedy=remedy))

    def _refuse(self, error: PerijoveError) -> None:
        self.say({"refused": error.to_json()})

    async def _see(self, found: dict[str, Any]) -> None:
        workers: dict[str, dict[str, Any]] = found["workers"]
        gone = set(self._guests.all) - set(workers)
        self.lose({address for _, (_, address) in self._guests.taken()} - set(workers))
        # what was wrong with a worker may have been put right
        gone |= {
            guest.address
            for guest in self._guests.all.values()
            if guest.trouble is not None and time.time() - guest.began > AGAIN
        }
        for address in gone:
            del self._guests.all[address]
        fresh = [
            Guest(address, seen)
            for address, seen in workers.items()
            if address not in self._guests.all and seen.get("status") == "running"
        ]
        for address, guest in self._guests.all.items():
            guest.seen = workers[address]
        await asyncio.gather(*map(self._examine, fresh))
        self._guests.all |= {guest.address: guest for guest in fresh}
        port = (found.get("services") or {}).get("dashboard")
        host = (self._definition.scheduler or "").rpartition(":")[0].partition("://")[2]
        self._dashboard = f"http://{host}:{port}/status" if port else ""
        self._trouble = None
        usable = [guest for guest in self._guests.all.values() if guest.trouble is None]
        if self._guests.all and not usable:
            trouble = next(iter(self._guests.all.values())).trouble
            assert trouble is not None
            self._trouble = trouble.message
            self._refuse(trouble)

    async def _examine(self, guest: Guest) -> None:
        """May attempts run there, and how do they reach the hub?"""
        socket = self._gate.socket if self._gate is not None else None
        try:
            said = await self._on(
                guest, examination(), str((self._folder / MARK).absolute()), socket
            )
            guest.trouble = self._judge(guest, said)
            if guest.trouble is None:
                name = self._definition.name
                await self._on(guest, lend_here, name, os.environ.get(PRELOAD), guest.size.gpus)
        except Exception as error:
            guest.trouble = Unreachable(
                f"The worker {guest.name} at {guest.address} does not run what it is asked: "
                f"{error!r}"[:500],
                field="scheduler",
            )
        if guest.trouble is not None:
            log.warning("%s", guest.trouble.message)

    def _judge(self, guest: Guest, said: dict[str, Any]) -> PerijoveError | None:
        who = f"The worker {guest.name} at {guest.address}"
        ours = metadata.version("perijove")
        if said["perijove"] != ours:
            has = f"has perijove {said['perijove']}" if said["perijove"] else "has no perijove"
            return Conflict(
                f"{who} {has} in its Python {said['python']}; it must be {ours}, the hub's.",
                field="scheduler",
                remedy=f"Install it where the workers run: pip install perijove=={ours}.",
            )
        if said["python"].split(".")[:2] != platform.python_version().split(".")[:2]:
            return Conflict(
                f"{who} has Python {said['python']}, and the hub {platform.python_version()}.",
                field="scheduler",
                remedy="Start the workers with the hub's version of Python.",
            )
        dask = metadata.version("distributed")
        if said["dask"] != dask:
            guest.warning = f"it has Dask {said['dask']}, and the hub has {dask}"
        guest.shared, guest.socket = said["mark"] == self._mark, bool(said["socket"])
        if not guest.shared and self.gate_of(guest) is None:
            return Conflict(
                f"{who} does not share this machine's disk, and has no way to the hub.",
                field="scheduler",
                remedy="perijove up --listen ADDRESS turns its TLS listener on.",
            )
        return None

    async def _on(self, guest: Guest, work: Callable[..., Any], *args: object) -> Any:
        assert self._client is not None
        answer: Awaitable[Any] = self._client.run(work, *args, workers=[guest.address])
        return (await asyncio.wait_for(answer, CONNECT))[guest.address]

    # attempts whose scheduler has gone

    def keep(self, key: str) -> bool:
        if self._client is not None and self._client.status == "running":
            taken = dict(self._guests.taken()).get(key)
            if taken is not None and taken[1] not in self._guests.all:
                return False
        self._orphans.setdefault(key, time.monotonic())
        return True

    def _orphan_all(self) -> None:
        for key in self._attempts:
            self._orphans.setdefault(key, time.monotonic())

    def _settle(self) -> None:
        """What becomes of attempts that Dask knows no more, now that the scheduler is there."""
        places = dict(self._guests.taken())
        for key, since in list(self._orphans.items()):
            if key not in self._asked or key not in places:
                del self._orphans[key]
                continue
            folder, (name, address) = Path(self._asked[key]["folder"]), places[key]
            runner = _runner(folder)
            late = time.monotonic() - since > CLAIM
            if (folder / STATUS).exists():
                self.end(key, None, True)
            elif runner is None and late and (folder / CARRIED).exists():
                # it may run where it was carried: never twice
                self.end(key, "its scheduler has gone", False)
            elif runner is None and late:
                wanted = Resources.model_validate(self._asked[key]["resources"])
                self._attempts.pop(key, None)
                self._guests.give_back(key)
                self._queue[key] = Waiting(wanted, self._asked[key].get("timeout"))
            elif runner is None:
                continue
            elif (folder / CARRIED).exists():
                if address in self._guests.all or not late:
                    continue
                self.end(key, f"node {name} died", False)
            elif runner.boot_id != boot_id() or is_alive(runner):
                continue
            else:
                self.end(key, None, True)
            self._orphans.pop(key, None)


def examination() -> Callable[..., dict[str, Any]]:
    """A function that says what a worker is. Dask sends a nested one by value: the worker may
    have no package of ours to find it in."""

    def examine(mark: str, socket: str | None) -> dict[str, Any]:
        import os
        import platform
        from importlib import metadata

        def version(name: str) -> str | None:
            try:
                __import__(name)
                return metadata.version(name)
            except Exception:
                return None

        try:
            with open(mark) as file:
                seen = file.read()
        except OSError:
            seen = ""
        return {
            "perijove": version("perijove"),
            "dask": version("distributed"),
            "python": platform.python_version(),
            "mark": seen,
            "socket": socket is not None and os.access(socket, os.R_OK | os.W_OK),
        }

    return examine


async def lend_here(target: str, preload: str | None, gpus: int, dask_worker: Any = None) -> None:
    """See `lend`. Run by Dask."""
    lend(dask_worker, target, preload, gpus)


async def give_back_here(target: str, dask_worker: Any = None) -> None:
    """See `give_back`. Run by Dask."""
    give_back(dask_worker, target)


def security(folder: Path) -> Security:
    """Dask's security object from the files of the scheduler's owner."""
    authority, certificate, key = (str(folder / name) for name in CERTIFICATES)
    return Security(
        tls_ca_file=authority,
        tls_client_cert=certificate,
        tls_client_key=key,
        require_encryption=True,
    )


def _other(versions: dict[str, Any]) -> str | None:
    """Has the scheduler another Dask than the hub?"""
    theirs, ours = versions["packages"]["distributed"], metadata.version("distributed")
    return None if theirs == ours else f"The scheduler has Dask {theirs}, and the hub has {ours}."


def _runner(folder: Path) -> RunnerProcess | None:
    try:
        return RunnerProcess.model_validate_json((folder / RUNNER).read_text())
    except (OSError, ValueError):
        return None
