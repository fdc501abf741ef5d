"""The hub's side of a target that a process keeps: has that run, and hands attempts to it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from perijove.abc import ManagedTarget
from perijove.compute import slurm
from perijove.compute.cluster.node import PRELOAD
from perijove.compute.cluster.protocol import (
    CARRIED,
    DEFINITION,
    LEFT,
    LOG,
    NODES,
    PLACED,
    PROCESS,
    SLURM,
    SOCKET,
    ProcessFile,
    end_node,
    mark,
)
from perijove.compute.folders import Attempt, FolderTarget
from perijove.compute.logs import end_of, last_line
from perijove.errors import PerijoveError, Unreachable, from_json
from perijove.models.agents import GateAddress
from perijove.models.attempts import STATUS, RunnerProcess
from perijove.models.compute import (
    ClusterDefinition,
    ClusterState,
)
from perijove.models.instances import AttachedDefinition
from perijove.models.jobs import FailureReason, JobState
from perijove.models.processes import end_marked, end_session, is_alive, process_of
from perijove.models.workspaces import TargetSummary
from perijove.writing import replace_file

log = logging.getLogger(__name__)

COME_UP = 60.0
"""Seconds a cluster's process has to come up."""
GO = 30.0
"""Seconds it has to end its nodes."""
ANSWER = 15.0
"""Seconds a batch system has to end what the process could not."""
LINE = 1 << 22
BACK_OFF = (0.2, 5.0)


class ProcessOptions(TypedDict):
    """What a hub gives to such a target."""

    lease: float
    preload: Sequence[str]
    warm_start: NotRequired[bool]
    changed: Callable[[], None]
    gate: NotRequired[Path | None]
    network_gate: NotRequired[Callable[[], GateAddress | None]]
    attempt_token: NotRequired[Callable[[str, int], str]]


class TargetOptions(ProcessOptions):
    """And whether it is meant to run."""

    on: bool


class ProcessTarget(FolderTarget, ManagedTarget):
    """A target that a process of its own keeps, which hands attempts to Dask.

    What the two say to each other is in `protocol`.
    """

    claims_late = True  # it waits for a node
    far_runners = True

    def __init__(
        self,
        folder: Path,
        definition: ClusterDefinition | AttachedDefinition,
        *,
        on: bool,
        lease: float,
        preload: Sequence[str],
        warm_start: bool = True,
        changed: Callable[[], None],
        gate: Path | None = None,
        network_gate: Callable[[], GateAddress | None] = lambda: None,
        attempt_token: Callable[[str, int], str] = lambda job_id, attempt: "",
    ) -> None:
        """`on`: it is meant to run. `changed` is called when its state is another one.

        `gate`, `network_gate` and `attempt_token`: see `Workshop`.
        """
        super().__init__(definition.name, lease)
        self._folder = folder
        self._limits = definition
        self._node_environ = {PRELOAD: ",".join(preload)} if warm_start else {}
        self._changed = changed
        self._gate = gate
        self._network_gate = network_gate
        self._attempt_token = attempt_token
        self._refusal: PerijoveError | None = None
        self._on = on
        self._power = asyncio.Event()
        self._starting = asyncio.Lock()
        self._up = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._now = ClusterState()
        if on:
            self._power.set()

    async def start(self, sink: Any) -> None:
        await super().start(sink)
        self.spawn(self._keep())

    @property
    def nodes_now(self) -> ClusterState:
        return self._now

    def summary(self) -> TargetSummary:
        return TargetSummary(
            name=self.name,
            kind=self.kind,
            state="running" if self._up.is_set() else "starting" if self._on else "stopped",
            slots=self.slots,
            running_jobs=len(self._attempts),
            queued_jobs=0,
        )

    def log_text(self) -> str:
        return end_of(self._folder / LOG)

    async def power(self, on: bool) -> None:
        self._on = on
        if on:
            self._refusal = None
            self._power.set()
            try:
                async with asyncio.timeout(COME_UP):
                    while not self._up.is_set() and self._refusal is None:
                        await asyncio.sleep(0.02)
            except TimeoutError:
                raise Unreachable(
                    f"{self.name} did not come up: {last_line(self.log_text())}"
                ) from None
            if self._refusal is not None:
                raise self._refusal
            return
        self._power.clear()
        self._up.clear()
        self._say({"stop": True})
        async with self._starting:
            process = self._process()
        if process is not None:
            if self._writer is None:  # it may be coming up, and hears nothing else
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(GO):
                    while is_alive(process):
                        await asyncio.sleep(0.05)
        await asyncio.to_thread(self._end_rest, process)
        await self._end_jobs()
        self._now = ClusterState(node_seconds=0)
        self._changed()

    async def destroy(self, abandon: bool = False) -> str | None:
        if self._on:
            await self.power(False)
        await self._end_jobs()  # should Slurm not have answered before
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        return None

    # attempts

    async def begin(self, attempt: Attempt) -> None:
        self._launch(attempt)

    async def claimed(self, attempt: Attempt, pid: int | None) -> None:
        # a poke or the cluster says so; a lost poke costs a second
        while attempt.runner() is None and not (attempt.folder / STATUS).exists():
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await attempt.taken.wait()
            if attempt.taken.is_set() and attempt.runner() is None:
                return

    async def end_far(self, attempt: Attempt, force: bool) -> None:
        self._say({"end": _key(attempt), "force": force})

    def is_untaken(self, folder: Path) -> bool:
        return not (folder / PLACED).exists()

    async def withdraw(self, attempt: Attempt) -> None:
        self._say({"withdraw": _key(attempt)})
        if self._writer is None:
            attempt.taken.set()

    def _launch(self, attempt: Attempt) -> None:
        self._say(self._ways())  # its owner may just have opened or closed one
        self._say(
            {
                "launch": _key(attempt),
                "folder": attempt.spec.folder,
                "resources": attempt.spec.resources.model_dump(),
                "timeout": attempt.spec.timeout,
                "token": self._attempt_token(attempt.spec.job_id, attempt.spec.attempt),
            }
        )

    # the process

    async def _keep(self) -> None:
        """Be connected to the process while it is meant to run; start it when it does not."""
        delay = BACK_OFF[0]
        while True:
            await self._power.wait()
            try:
                reader = await self._connect()
                delay = BACK_OFF[0]
                await self._listen(reader)
            except OSError as error:
                log.warning("Cluster %s: %s", self.name, error)
            self._writer = None
            self._up.clear()
            self._changed()
            await asyncio.sleep(delay)
            delay = min(BACK_OFF[1], delay * 2)

    async def _connect(self) -> asyncio.StreamReader:
        async with self._starting:
            if not self._power.is_set():
                raise OSError("it is not wanted any more")
            process = self._process()
            if process is None or not is_alive(process):
                process = await asyncio.to_thread(self._start_process)
        deadline = asyncio.get_running_loop().time() + COME_UP
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(
                    os.path.relpath(self._folder / SOCKET), limit=LINE
                )
            except (FileNotFoundError, ConnectionRefusedError):
                if not is_alive(process):
                    raise OSError("its process ended before it answered") from None
                if asyncio.get_running_loop().time() > deadline:
                    raise OSError("its process does not answer") from None
                await asyncio.sleep(0.05)
                continue
            self._writer = writer
            return reader

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        self._say(self._ways())  # some nodes cannot start without
        for attempt in list(self._attempts.values()):
            if attempt.runner() is None:
                self._launch(attempt)
        while line := await reader.readline():
            message = json.loads(line)
            if "state" in message:
                self._now = ClusterState.model_validate(message["state"])
                if self._now.reachable:
                    self._refusal = None
                self._up.set()
                self._changed()
            elif "refused" in message:
                self._refusal = from_json(message["refused"])
            elif "ended" in message:
                self._ended(message["ended"], message["lost"], message["gone"])

    def _ways(self) -> dict[str, Any]:
        """How nodes reach the hub."""
        here = GateAddress(url="http://hub", socket=None if not self._gate else str(self._gate))
        there = self._network_gate()
        return {
            "gate": here.model_dump(),
            "network_gate": None if there is None else there.model_dump(),
        }

    def is_far(self, attempt: Attempt) -> bool:
        return super().is_far(attempt) or (attempt.folder / CARRIED).exists()

    def _ended(self, key: str, lost: str | None, gone: bool) -> None:
        job_id, _, number = key.partition("/")
        attempt = self._attempts.get((job_id, int(number)))
        if attempt is None:
            return
        attempt.why = None if lost is None else f"The job was lost: {lost}."
        attempt.taken.set()
        if gone:
            attempt.over.set()
        if lost is not None and (attempt.folder / CARRIED).exists():
            attempt.over.set()  # whoever runs there is told so, should it ever ask
        if lost is not None and not attempt.canceling and attempt.runner() is not None:
            self.spawn(self.revoke(attempt, JobState.FAILED, FailureReason.LOST, attempt.why))

    def _say(self, message: dict[str, Any]) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    def _process(self) -> RunnerProcess | None:
        try:
            text = (self._folder / PROCESS).read_text()
            return ProcessFile.model_validate_json(text).process
        except (OSError, ValueError):
            return None

    def _start_process(self) -> RunnerProcess:
        self._end_nodes()
        self._write_definition()
        (self._folder / SOCKET).unlink(missing_ok=True)
        environ = {k: v for k, v in os.environ.items() if k != PRELOAD}
        name, _, value = mark(str(self._folder)).partition("=")
        with (self._folder / LOG).open("ab") as output:
            started = subprocess.Popen(
                [sys.executable, "-m", "perijove.compute.cluster.process", str(self._folder)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environ | self._node_environ | {name: value},
                start_new_session=True,
            )
        # it says so itself only seconds later, when it can be stopped or looked for already
        process = process_of(started.pid)
        replace_file(self._folder / PROCESS, ProcessFile(process=process).model_dump_json())
        return process

    def _write_definition(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_file(self._folder / DEFINITION, self._limits.model_dump_json(indent=1))

    def _end_rest(self, process: RunnerProcess | None) -> None:
        """Return when nothing of it is left here. Zygotes are no part of their nodes' sessions, and
        notice only after an import that these are gone."""
        if process is not None:
            end_session(process)
        self._end_nodes()
        end_marked(mark(str(self._folder)))

    def _end_nodes(self) -> None:
        """End the nodes of a process that was killed; what these run goes on."""
        for record in (self._folder / NODES).glob("*.json"):
            end_node(record)

    async def _end_jobs(self) -> None:
        """End what other machines still have of the cluster."""
        with suppress(OSError):
            known = json.loads((self._folder / SLURM).read_text())
            await slurm.end(known["prefix"], ANSWER)
        if self._limits.on == "ssh" and list((self._folder / NODES).glob(f"*{LEFT}")):
            from perijove.compute.cluster.hosts import end_left  # asyncssh takes 0.2 s

            assert isinstance(self._limits, ClusterDefinition)
            await end_left(self._folder, self._limits)


def _key(attempt: Attempt) -> str:
    return f"{attempt.spec.job_id}/{attempt.spec.attempt}"
