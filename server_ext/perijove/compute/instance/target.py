"""The hub's side of an instance: keeps its agent running, and hands attempts to it."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import JsonValue

from perijove.abc import AgentTarget, AttemptSink, InstanceFiles, KernelHost, ManagedTarget
from perijove.compute.instance.attempts import AgentAttempts
from perijove.compute.instance.hosted import AgentFiles, AgentKernels
from perijove.compute.instance.link import PING, AgentLink
from perijove.compute.instance.machine import Machine
from perijove.errors import PerijoveError, Unreachable
from perijove.models.agents import (
    SILENCE,
    AgentConfig,
    AgentHello,
    AgentReport,
    MachineFacts,
)
from perijove.models.compute import ClusterState, Node, NodeState, Resources
from perijove.models.instances import AttachedDefinition, Definition, InstanceDefinition
from perijove.models.workspaces import TargetSummary

log = logging.getLogger(__name__)

COME_UP = 120.0
"""Seconds an agent has to call, once it was started."""
BACK_OFF = (0.5, 15.0)


class InstanceTarget(AgentAttempts, AgentTarget, ManagedTarget):
    """See `ManagedTarget`."""

    def __init__(
        self,
        folder: Path,
        definition: InstanceDefinition | AttachedDefinition,
        machine: Machine,
        *,
        on: bool,
        lease: float,
        preload: Sequence[str],
        warm_start: bool = True,
        token: str,
        attempt_token: Callable[[str, int], str],
        changed: Callable[[], None],
        environments: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        """`token` is what the agent shows, `attempt_token` what it shows for an attempt."""
        link = AgentLink(definition.name, changed)
        super().__init__(definition.name, lease, machine, link, attempt_token)
        self.kind = definition.kind.value
        machine.changed = changed
        self._folder = folder
        self._definition = definition
        self._preload = preload
        self._warm_start = warm_start
        self._token = token
        self._changed = changed
        self._environments = environments
        self._on = on
        self._power = asyncio.Event()
        self._since: datetime | None = None
        self._up_at: float | None = None
        self._seconds: float | None = None
        self.facts: MachineFacts | None = None
        self.trouble: str | None = None
        self._refusal: PerijoveError | None = None
        if on:
            self._power.set()

    async def start(self, sink: AttemptSink) -> None:
        await super().start(sink)
        self.spawn(self._keep())

    async def close(self) -> None:
        self.hang_up()
        await super().close()
        await self.machine.close()

    def hang_up(self) -> None:
        self._link.hang_up()

    @property
    def slots(self) -> int:
        if not self._on:
            return 0
        return self._definition.cpus or (self.facts.cpus if self.facts else 1)

    @property
    def nodes_now(self) -> ClusterState:
        usage, size = self._link.last.usage, self._size()
        jobs = sorted({job_id for job_id, _ in self._attempts})
        up = self._link.up.is_set()
        state = NodeState.RUNNING if jobs else NodeState.IDLE
        message = self.trouble
        if not up:
            message = self.trouble or self.machine.waiting
            state = NodeState.PREPARING if self.usable else NodeState.UNUSABLE
        node = Node(
            id=self.facts.hostname if self.facts else self.name,
            state=state,
            address=next(iter(self.facts.addresses), None) if self.facts else None,
            cpus=size.cpus,
            memory=size.memory or (self.facts.memory if self.facts else None),
            gpus=size.gpus,
            cpu_percent=round(usage.cpu_percent / size.cpus, 1) if up else None,
            memory_used=usage.memory if up else None,
            jobs=jobs,
            started_at=self._since,
            message=message,
        )
        return ClusterState(
            nodes=[node] if self._on else [],
            target_nodes=int(self._on),
            node_seconds=self._node_seconds,
            message=message,
        )

    @property
    def _node_seconds(self) -> float | None:
        """For how long the agent has been running, as far as it is known."""
        return self._seconds if self._up_at is None else time.monotonic() - self._up_at

    def properties(self) -> dict[str, JsonValue]:
        found: dict[str, JsonValue] = dict(self.machine.properties())
        if self.facts is not None:
            found |= self.facts.model_dump(mode="json", exclude={"cpus", "memory"})
        found["kernels"] = list(self._link.last.kernels)
        return found

    def summary(self) -> TargetSummary:
        return TargetSummary(
            name=self.name,
            kind=self.kind,
            state="running" if self._link.up.is_set() else "starting" if self._on else "stopped",
            slots=self.slots,
            running_jobs=len(self._attempts),
            queued_jobs=0,
        )

    @property
    def usable(self) -> bool:
        return self._link.up.is_set() or self.trouble in (None, self.machine.waiting)

    @property
    def in_use(self) -> list[str]:
        found = [f"job {job_id[:8]}" for job_id, _ in self._attempts]
        return found + [str(kernel.get("kernel_id")) for kernel in self._link.last.kernels]

    def check(self, wanted: Resources, timeout: float | None = None) -> None:
        size = self._size()
        if size.memory is None and self.facts:
            # not in the size itself: that is what its agent keeps it to
            size = size.model_copy(update={"memory": self.facts.memory})
        wanted.must_fit(size, self.name, "Ask for less, or use a larger machine.")

    def log_text(self) -> str:
        return self.machine.log_text()

    @property
    def kernels(self) -> KernelHost:
        return AgentKernels(self._link.call, self.machine)

    @property
    def files(self) -> InstanceFiles:
        return self.machine.files() or AgentFiles(self._link.call)

    @property
    def shared(self) -> bool:
        return self.machine.shared

    def shell(self) -> list[str]:
        return self.machine.shell()

    async def power(self, on: bool) -> None:
        self._on = on
        if on:
            self._refusal = None
            await self.machine.renew()
            self._power.set()
            self._link.broken.set()
            await self._await_link()
            return
        self._power.clear()
        self._link.broken.set()
        self._link.say({"stop": True})
        await self.machine.stop_agent()
        self._link.up.clear()
        self._link.last, self.trouble, self._since = AgentReport(), None, None
        self._seconds, self._up_at = 0.0, None
        self._changed()

    async def _await_link(self) -> None:
        """Return when the agent calls. What the machine waits for first takes what it takes."""
        deadline = time.monotonic() + COME_UP
        while not self._link.up.is_set():
            if self._refusal is not None:
                raise self._refusal
            if self.machine.waiting is not None:
                deadline = time.monotonic() + COME_UP
            elif time.monotonic() > deadline:
                raise Unreachable(
                    f"{self.name} did not come up: {self.trouble or 'its agent does not call.'}"
                )
            await asyncio.sleep(0.02)

    async def define(self, definition: Definition) -> None:
        assert isinstance(definition, InstanceDefinition | AttachedDefinition)
        self._definition = definition

    async def destroy(self, abandon: bool = False) -> str | None:
        left = None
        try:
            if self._on:
                await self.power(False)
            await self.machine.destroy()
        except PerijoveError as error:
            if not abandon:
                raise
            left = f"{error.message} {await self.machine.leave()}"
            log.warning("%s is deleted, and its machine is not at rest: %s", self.name, left)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        return left

    # the machine

    async def _keep(self) -> None:
        """Have an agent that calls, while the instance is meant to run."""
        delay = BACK_OFF[0]
        while True:
            await self._power.wait()
            self._link.broken.clear()
            try:
                address, tracking_uri = await self.machine.gate()
                self._folder.mkdir(parents=True, exist_ok=True)
                size = self._size()
                config = AgentConfig(
                    target=self.name,
                    gate=address,
                    token=self._token,
                    tracking_uri=tracking_uri,
                    relay=self.machine.relayed,
                    open_kernels=self.machine.open_kernels,
                    cpus=size.cpus,
                    gpus=size.gpus,
                    preload=list(self._preload),
                    warm_start=self._warm_start,
                )
                await self.machine.start_agent(config)
            except PerijoveError as error:
                self._in_trouble(str(error))
                self._refusal = error
            except (ConnectionError, TimeoutError) as error:
                self._in_trouble(f"The machine cannot be reached: {error}")
            except OSError as error:  # a disk is full, or not ours to write to
                self._refusal = Unreachable(
                    f"What {self.name} needs cannot be put on its machine: {error}."
                )
                self._in_trouble(str(self._refusal))
            else:
                self._refusal = None
                delay = BACK_OFF[0]
                await self._while_it_calls()
            if self._power.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(delay):
                        await self._link.broken.wait()
                delay = min(BACK_OFF[1], delay * 2)

    async def _while_it_calls(self) -> None:
        """Return when the agent must be looked after."""
        self._link.listen()
        while self._power.is_set():
            self._link.broken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(PING):
                    await self._link.broken.wait()
            if self._link.up.is_set() and not self._link.silent:
                await self.machine.look()
                continue
            if self._link.up.is_set():
                self._unlink(f"{self.name} has said nothing for {SILENCE:.0f} s.")
            elif (trouble := self.machine.trouble or self.machine.waiting) != self.trouble:
                self._in_trouble(trouble)
            if not await self.machine.alive() or self._link.silent:
                return

    def _in_trouble(self, message: str | None) -> None:
        if message is not None and message != self.trouble:
            log.warning("Instance %s: %s", self.name, message)
        self.trouble = message
        self._seconds, self._up_at = self._node_seconds, None
        self._link.up.clear()
        self._changed()

    def _unlink(self, message: str) -> None:
        self.hang_up()
        self._in_trouble(message)

    # the agent

    def link(self, hello: AgentHello) -> AsyncIterator[bytes]:
        self.facts, self.trouble = hello.facts, None
        self._up_at = time.monotonic() - hello.up
        self._since = datetime.now(UTC) - timedelta(seconds=hello.up)
        lines = self._link.open()
        self._changed()
        self.reconcile(set(hello.attempts))
        self.tidy()
        return lines

    def tidy(self) -> None:
        if self._environments is not None:
            self._link.say({"keep": list(self._environments())})

    async def report(self, report: AgentReport) -> None:
        self._link.take(report)
        for key, why in report.gone.items():
            job_id, _, number = key.partition("/")
            attempt = self._attempts.get((job_id, int(number)))
            if attempt is not None:
                attempt.why = attempt.why or why
                attempt.taken.set()
                attempt.over.set()
        self._changed()

    def _size(self) -> Resources:
        if isinstance(self._definition, InstanceDefinition):
            return self._definition.node
        known = self.facts
        return Resources(
            cpus=self._definition.cpus or (known.cpus if known else 1),
            memory=known.memory if known else None,
        )
