"""Compute targets: create, look at, start, stop, scale, delete."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from perijove.abc import ManagedTarget, TargetMaker
from perijove.errors import Conflict, NotFound, PerijoveError
from perijove.models.compute import (
    ComputeTargetInfo,
    Kind,
    Operation,
    Scale,
    StoredTarget,
    TargetState,
)
from perijove.models.instances import (
    Definition,
    read_definition,
)
from perijove.services.targets import LOCAL, Targets

log = logging.getLogger(__name__)

CANCEL_PATIENCE = 60.0
KEEP = 60.0
"""Seconds of nodes that are lost at most, if hub and nodes are killed together."""


@dataclass
class ComputeService(Targets):
    """The verbs on compute targets. What a verb has begun is found again after a crash."""

    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    _usable: dict[str, bool] = field(default_factory=dict)
    _counts: dict[str, float] = field(default_factory=dict)
    """What targets counted last of the seconds that their nodes have been up."""
    _slots: dict[str, int] = field(default_factory=dict)
    _rising: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    """What brings targets up now: it may take long, and can be called off."""

    def load(self) -> None:
        """Make the targets that were created before. Call it before the supervisor starts."""
        for stored in self.store.all():
            self._stored[stored.name.lower()] = stored
            on = stored.state in (TargetState.RUNNING, TargetState.RESTARTING, TargetState.STARTING)
            self.jobs.supervisor.targets[stored.name] = self._make(
                read_definition(stored.definition), on
            )

    async def resume(self) -> None:
        """Bring to an end what the last hub had begun."""
        for stored in list(self._stored.values()):
            try:
                await self._resume(stored)
            except PerijoveError as error:  # a batch system that is away must not stop the hub
                log.warning("%s is not what it should be: %s", stored.name, error)
                self._set(stored.name, message=str(error))

    async def _resume(self, stored: StoredTarget) -> None:
        if stored.state in (TargetState.CREATING, TargetState.DELETING):
            await self._erase(stored.name)
        elif stored.state is TargetState.STOPPING:
            await self._managed(stored.name).power(False)
            self._set(stored.name, state=TargetState.STOPPED)
        elif stored.state in (TargetState.STARTING, TargetState.RESTARTING):
            self._set(stored.name, state=TargetState.RUNNING)

    async def rest(self) -> None:
        """End the nodes of all targets; the next hub brings them up again as they are now."""

        async def end(name: str) -> None:
            self._keep_hours(name)
            try:
                await self._managed(name).power(False)
            except PerijoveError as error:
                log.warning("%s may not have ended: %s", name, error)

        await asyncio.gather(*map(end, list(self._stored)))

    # verbs

    async def create(self, definition: Definition) -> ComputeTargetInfo:
        """Make a target and bring it up; what fails leaves nothing.

        Raises
        ------
        NotFound: there is no such kind, or nothing of that name to have it on.
        Conflict: the name is taken, there is no room for it, or it was deleted meanwhile.
        Unreachable: it did not come up.
        """
        await self._maker(definition).check(definition)
        now = datetime.now(UTC)
        stored = StoredTarget(
            name=definition.name,
            definition=definition.model_dump(mode="json"),
            state=TargetState.CREATING,
            last_operation=Operation(name="create", outcome="running", begun_at=now),
            created_at=now,
            created_by=self.user,
        )
        if definition.name.lower() == LOCAL or not self.store.add(stored):
            raise Conflict(
                f"There is a compute target named {definition.name!r} already.",
                field="name",
                remedy="Choose another name, or delete that one first.",
            )
        self._stored[definition.name.lower()] = stored
        async with self._lock(definition.name):
            try:
                target = self._make(definition, True)
                await self.jobs.supervisor.add(target)
                self.broker.changed()
                await self._raise(target)
            except BaseException:
                await self._erase(definition.name, abandon=True)
                raise
            done = _done("create", now)
            self._set(definition.name, state=TargetState.RUNNING, last_operation=done)
            self.history.ended(definition.name, done)
        self.jobs.supervisor.wake()
        return self.get(definition.name)

    async def start(self, name: str, why: str | None = None) -> ComputeTargetInfo:
        """Bring it up; queued jobs begin. `why`: what did it, if no user did."""
        target = self._managed(name)

        async def work() -> None:
            await self._raise(target)

        await self._operate(name, "start", TargetState.STARTING, TargetState.RUNNING, work, why)
        self.jobs.supervisor.wake()
        return self.get(name)

    async def stop(
        self, name: str, force: bool = False, why: str | None = None
    ) -> ComputeTargetInfo:
        """End its nodes. Queued jobs wait; with `force` running ones are canceled. A start is
        called off. `why`: what did it, if no user did.

        Raises
        ------
        Conflict: jobs run on it.
        """
        target = self._managed(name)

        async def work() -> None:
            self._keep_hours(name)
            await target.power(False)

        with self.jobs.supervisor.hold(target.name):
            await self._free(name, force, queued=False)
            if self._stored[name.lower()].state is not TargetState.CREATING:
                await self._call_off(name)
            await self._operate(name, "stop", TargetState.STOPPING, TargetState.STOPPED, work, why)
        return self.get(name)

    async def restart(self, name: str, force: bool = False) -> ComputeTargetInfo:
        """Stop it and start it again; see `stop`."""
        target = self._managed(name)

        async def work() -> None:
            self._keep_hours(name)
            await target.power(False)
            await self._raise(target)

        with self.jobs.supervisor.hold(target.name):
            await self._free(name, force, queued=False)
            await self._operate(name, "restart", TargetState.RESTARTING, TargetState.RUNNING, work)
        return self.get(name)

    async def scale(self, name: str, wish: Scale) -> ComputeTargetInfo:
        """Give it other limits.

        Raises
        ------
        Conflict: max_nodes would be less than min_nodes, or more than there is room for.
        """
        target = self._managed(name)
        stored = self._stored[name.lower()]
        if stored.definition.get("kind") != Kind.CLUSTER:
            raise Conflict(f"{name} is one machine: it cannot be scaled.", field="name")
        merged = stored.definition | wish.model_dump(exclude_none=True)
        definition = read_definition(merged)
        await self._maker(definition).check(definition)

        async def work() -> None:
            await target.define(definition)
            self._set(name, definition=definition.model_dump(mode="json"))

        await self._operate(name, "scale", stored.state, stored.state, work)
        self.jobs.supervisor.wake()
        return self.get(name)

    async def delete(self, name: str, force: bool = False) -> str | None:
        """End it and forget it; what is being created is called off. With `force` its jobs are
        canceled first, and a machine that is away is left alone; returns what becomes of it, in
        words.

        Raises
        ------
        Conflict: jobs run or wait on it.
        """
        name = self._managed(name).name
        await self._free(name, force, queued=True)
        created = self._stored[name.lower()].state is not TargetState.CREATING
        await self._call_off(name)
        if not created:  # who created it has removed it
            return None
        async with self._lock(name):
            self._set(name, state=TargetState.DELETING)
            try:
                return await self._erase(name, abandon=force)
            except PerijoveError as error:
                self._set(name, message=str(error))
                raise

    # details

    def _maker(self, definition: Definition) -> TargetMaker:
        maker = self.makers.get(definition.kind)
        if maker is None:
            raise NotFound(
                f"There is no kind of compute target called {definition.kind!r}.",
                field="kind",
                remedy=f"Use one of: {', '.join(sorted(self.makers))}.",
            )
        return maker

    def _make(self, definition: Definition, on: bool) -> ManagedTarget:
        workshop = replace(
            self.workshop(definition.name), changed=lambda: self._look(definition.name)
        )
        return self._maker(definition).make(definition, workshop, on)

    def _look(self, name: str) -> None:
        """The target says that it is another one than before."""
        target = self.jobs.supervisor.targets.get(name)
        stored = self._stored.get(name.lower())
        if isinstance(target, ManagedTarget) and stored is not None:
            self._count(stored, target.nodes_now.node_seconds)
            slots = target.slots
            if slots > self._slots.get(name.lower(), 0):
                self.jobs.supervisor.wake()  # a worker that somebody else runs has come
            self._slots[name.lower()] = slots
            usable = target.usable or stored.state is not TargetState.RUNNING
            if usable is not self._usable.get(name.lower(), True):
                self._usable[name.lower()] = usable
                message = None if usable else target.nodes_now.message
                self.history.note(name, "back" if usable else "unreachable", message)
        self.broker.changed()

    async def _free(self, name: str, force: bool, queued: bool) -> None:
        """Let no job of its be under way; unless `queued`, those that have not begun wait."""
        self._managed(name)
        supervisor, jobs = self.jobs.supervisor, self._jobs(name, queued)
        held = [job for job in jobs if not queued and not supervisor.has_begun(job)]
        ended = [job for job in jobs if job not in held]
        if ended and not force:
            raise Conflict(
                f"{len(ended)} job{'s' * (len(ended) != 1)} of {name} "
                f"{'are' if len(ended) != 1 else 'is'} not over.",
                field="name",
                remedy="Wait for them, cancel them, or use --force, which cancels them.",
            )
        recalls = [asyncio.create_task(supervisor.recall(job)) for job in held]
        for job in ended:
            await self.jobs.cancel(job.id)
        if recalls:
            await asyncio.wait(recalls, timeout=CANCEL_PATIENCE)
        for job in ended:
            await self.jobs.wait(job.id, CANCEL_PATIENCE, "terminal")

    async def _raise(self, target: ManagedTarget) -> None:
        """Bring it up; what fails is off.

        Raises
        ------
        Conflict: that was called off.
        """
        name = target.name.lower()
        task = self._rising[name] = asyncio.create_task(target.power(True))
        try:
            await asyncio.wait([task])
            if task.cancelled():
                raise Conflict(f"{target.name} was stopped or deleted before it was up.")
            task.result()
        except PerijoveError:
            with suppress(PerijoveError):
                await target.power(False)
            raise
        finally:
            task.cancel()
            del self._rising[name]

    async def _call_off(self, name: str) -> None:
        """Have what brings it up given up; returns when the verb that wanted it is over."""
        if (rising := self._rising.get(name.lower())) is not None:
            rising.cancel()
            async with self._locks[name.lower()]:
                return

    async def _operate(
        self,
        name: str,
        verb: str,
        during: TargetState,
        after: TargetState,
        work: Callable[[], Awaitable[None]],
        why: str | None = None,
    ) -> None:
        begun = datetime.now(UTC)
        async with self._lock(name):
            operation = Operation(name=verb, outcome="running", begun_at=begun)
            self._set(name, state=during, message=None, last_operation=operation)
            try:
                await work()
            except PerijoveError as error:
                failed = _done(verb, begun, str(error))
                self._set(name, state=TargetState.FAILED, message=str(error), last_operation=failed)
                self.history.ended(name, failed)
                raise
            done = _done(verb, begun, said=why)
            self._set(name, state=after, message=None, last_operation=done)
            self.history.ended(name, done)

    @asynccontextmanager
    async def _lock(self, name: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(name.lower(), asyncio.Lock())
        if lock.locked():
            busy = self._stored.get(name.lower())
            verb = busy.last_operation.name if busy and busy.last_operation else "delete"
            raise Conflict(
                f"{name} is busy: its {verb} is not over.",
                field="name",
                remedy=f"Wait for it, or look at it with: perijove compute show {name}.",
            )
        async with lock:
            yield

    async def _erase(self, name: str, abandon: bool = False) -> str | None:
        target = self.jobs.supervisor.targets.get(name)
        left = None
        if isinstance(target, ManagedTarget):
            left = await target.destroy(abandon)
        await self.jobs.supervisor.remove(name)
        self.store.remove(name)
        self._stored.pop(name.lower(), None)
        self._usable.pop(name.lower(), None)
        self._counts.pop(name.lower(), None)
        self._slots.pop(name.lower(), None)
        self.history.forget(name)
        self.broker.changed()
        return left

    def _count(self, stored: StoredTarget, count: float | None) -> None:
        """Keep what its nodes have been up, now and then, and before the count begins anew."""
        if count is None:
            return
        last = self._counts.get(stored.name.lower(), stored.node_counter)
        self._counts[stored.name.lower()] = count
        if count < last:
            self._set(stored.name, node_seconds=stored.node_seconds_at(last), node_counter=0)
        elif count - stored.node_counter >= KEEP:
            self._keep_hours(stored.name)

    def _keep_hours(self, name: str) -> None:
        stored, count = self._stored[name.lower()], self._managed(name).nodes_now.node_seconds
        if count is not None:
            self._counts[name.lower()] = count
            self._set(name, node_seconds=stored.node_seconds_at(count), node_counter=count)


def _done(
    verb: str, begun: datetime, failure: str | None = None, said: str | None = None
) -> Operation:
    return Operation(
        name=verb,
        outcome="succeeded" if failure is None else "failed",
        message=failure or said,
        begun_at=begun,
        ended_at=datetime.now(UTC),
    )
