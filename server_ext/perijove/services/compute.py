"""Compute targets: create, look at, start, stop, scale, delete."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from perijove.abc import ComputeTarget, ManagedTarget, TargetMaker, TargetStore, Workshop
from perijove.errors import Conflict, NotFound, PerijoveError
from perijove.models.compute import (
    ComputeTargetInfo,
    Kind,
    Node,
    Operation,
    Scale,
    StoredTarget,
    TargetEvent,
    TargetState,
)
from perijove.models.instances import (
    Definition,
    HostQuestion,
    InstanceDefinition,
    ShownKey,
    read_definition,
)
from perijove.models.jobs import Job, JobState
from perijove.services.broker import Broker
from perijove.services.history import Histories
from perijove.services.targetinfo import Notice, describe, describe_local

if TYPE_CHECKING:
    from perijove.services.jobs import JobService

log = logging.getLogger(__name__)

LOG_CHARACTERS = 200_000
"""Of a target's log that are shown: its end."""
CANCEL_PATIENCE = 60.0
LOCAL = "local"


@dataclass
class ComputeService:
    """The verbs on compute targets. What a verb has begun is found again after a crash."""

    store: TargetStore
    jobs: JobService
    broker: Broker
    makers: Mapping[str, TargetMaker]
    workshop: Callable[[str], Workshop]
    """What the target of a name is made with."""
    user: str
    show_key: Callable[[HostQuestion], Awaitable[ShownKey]]
    notices: dict[str, Notice] = field(default_factory=dict)
    _stored: dict[str, StoredTarget] = field(default_factory=dict)
    history: Histories = field(init=False)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    _usable: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.history = Histories(lambda name: self.jobs.folder.compute / self._exact(name))

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
        for name in list(self._stored):
            self._keep_hours(name)
            try:
                await self._managed(name).power(False)
            except PerijoveError as error:
                log.warning("%s may not have ended: %s", name, error)

    # looking

    def all(self) -> list[ComputeTargetInfo]:
        """All targets: this machine first, then by name."""
        queued = self.jobs.store.queued_counts()
        return [
            self._info(target, queued.get(name, 0))
            for name, target in sorted(
                self.jobs.supervisor.targets.items(),
                key=lambda item: (item[0] != LOCAL, item[0].lower()),
            )
        ]

    def get(self, name: str) -> ComputeTargetInfo:
        """The target of this name.

        Raises
        ------
        NotFound: there is none.
        """
        found = self._find(name)
        return self._info(found, self.jobs.store.queued_counts().get(found.name, 0))

    def nodes(self, name: str) -> list[Node]:
        """The target's nodes."""
        target = self._find(name)
        return target.nodes_now.nodes if isinstance(target, ManagedTarget) else []

    def events(self, name: str) -> list[TargetEvent]:
        """What happened to the target, oldest first; the last ones of many."""
        return self.history.of(self._managed(name).name)

    def log(self, name: str) -> str:
        """The end of what the target and its nodes have said."""
        return self._managed(name).log_text()[-LOG_CHARACTERS:]

    async def host_key(self, question: HostQuestion) -> ShownKey:
        """The key that a machine shows now, the preferred one.

        Raises
        ------
        Unreachable: it shows none.
        """
        return await self.show_key(question)

    def shell(self, name: str) -> list[str]:
        """The command that opens a shell on it, as an argument list.

        Raises
        ------
        Conflict: it has none.
        """
        target = self._find(name)
        command = target.shell()
        if not command:
            raise Conflict(
                f"{target.name} has no machine of its own to open a shell on.",
                field="name",
                remedy="Connect to an instance, or to an attached machine.",
            )
        return command

    # verbs

    async def create(self, definition: Definition) -> ComputeTargetInfo:
        """Make a target and bring it up; what fails leaves nothing.

        Raises
        ------
        NotFound: there is no such kind, or nothing of that name to have it on.
        Conflict: the name is taken, or there is no room for it.
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
        try:
            async with self._lock(definition.name):
                target = self._make(definition, True)
                await self.jobs.supervisor.add(target)
                self.broker.changed()
                await target.power(True)
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

        async def work() -> None:
            await self._managed(name).power(True)

        await self._operate(name, "start", TargetState.STARTING, TargetState.RUNNING, work, why)
        self.jobs.supervisor.wake()
        return self.get(name)

    async def stop(
        self, name: str, force: bool = False, why: str | None = None
    ) -> ComputeTargetInfo:
        """End its nodes. Queued jobs wait; with `force` running ones are canceled.
        `why`: what did it, if no user did.

        Raises
        ------
        Conflict: jobs run on it.
        """
        await self._free(name, force, queued=False)

        async def work() -> None:
            self._keep_hours(name)
            await self._managed(name).power(False)

        await self._operate(name, "stop", TargetState.STOPPING, TargetState.STOPPED, work, why)
        return self.get(name)

    async def restart(self, name: str, force: bool = False) -> ComputeTargetInfo:
        """Stop it and start it again."""
        await self._free(name, force, queued=False)

        async def work() -> None:
            self._keep_hours(name)
            await self._managed(name).power(False)
            await self._managed(name).power(True)

        await self._operate(name, "restart", TargetState.RESTARTING, TargetState.RUNNING, work)
        self.jobs.supervisor.wake()
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

    async def delete(self, name: str, force: bool = False) -> None:
        """End it and forget it. With `force` its jobs are canceled first.

        Raises
        ------
        Conflict: jobs run or wait on it.
        """
        self._managed(name)
        await self._free(name, force, queued=True)
        async with self._lock(name):
            self._set(name, state=TargetState.DELETING)
            try:
                await self._erase(name, abandon=force)
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
            usable = target.usable or stored.state is not TargetState.RUNNING
            if usable is not self._usable.get(name.lower(), True):
                self._usable[name.lower()] = usable
                message = None if usable else target.nodes_now.message
                self.history.note(name, "back" if usable else "unreachable", message)
        self.broker.changed()

    async def _free(self, name: str, force: bool, queued: bool) -> None:
        """Let no job of its be under way."""
        self._managed(name)
        jobs = self._jobs(name, queued)
        if jobs and not force:
            raise Conflict(
                f"{len(jobs)} job{'s' * (len(jobs) != 1)} of {name} "
                f"{'are' if len(jobs) != 1 else 'is'} not over.",
                field="name",
                remedy="Wait for them, cancel them, or use --force, which cancels them.",
            )
        for job in jobs:
            await self.jobs.cancel(job.id)
        for job in jobs:
            await self.jobs.wait(job.id, CANCEL_PATIENCE, "terminal")

    def _jobs(self, name: str, queued: bool) -> list[Job]:
        return [
            job
            for job in self.jobs.store.active()
            if job.compute.lower() == name.lower() and (queued or job.state is not JobState.QUEUED)
        ]

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
            self._set(name, state=during, last_operation=operation)
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
            raise Conflict(
                f"Something else is being done to {name}.",
                field="name",
                remedy=f"Look at it with: perijove compute show {name}.",
            )
        async with lock:
            yield

    async def _erase(self, name: str, abandon: bool = False) -> None:
        target = self.jobs.supervisor.targets.get(name)
        if isinstance(target, ManagedTarget):
            await target.destroy(abandon)
        await self.jobs.supervisor.remove(name)
        self.store.remove(name)
        self._stored.pop(name.lower(), None)
        self._usable.pop(name.lower(), None)
        self.history.forget(name)
        self.broker.changed()

    def _set(self, name: str, **changes: object) -> None:
        found = self.store.update(name, **changes)
        if found is not None:
            self._stored[name.lower()] = found
        self.broker.changed()

    def _exact(self, name: str) -> str:
        """As it was written when the target was made: what its folder is called."""
        stored = self._stored.get(name.lower())
        return stored.name if stored is not None else name

    def _keep_hours(self, name: str) -> None:
        stored, now = self._stored[name.lower()], self._managed(name).nodes_now
        self._set(name, node_seconds=stored.node_seconds + now.node_seconds)

    def _find(self, name: str) -> ComputeTarget:
        for known, target in self.jobs.supervisor.targets.items():
            if known.lower() == name.lower():
                return target
        known_names = ", ".join(sorted(self.jobs.supervisor.targets))
        raise NotFound(
            f"There is no compute target named {name[:40]!r}.",
            field="name",
            remedy=f"There are: {known_names}.",
        )

    def _managed(self, name: str) -> ManagedTarget:
        found = self._find(name)
        if not isinstance(found, ManagedTarget):
            raise Conflict(
                f"{found.name} is this machine itself: it cannot be started, stopped or deleted.",
                field="name",
            )
        return found

    def _info(self, target: ComputeTarget, queued: int) -> ComputeTargetInfo:
        running = len(self.jobs.supervisor.busy(target.name))
        stored = self._stored.get(target.name.lower())
        if stored is None or not isinstance(target, ManagedTarget):
            return describe_local(target, running, queued)
        notice = self.notices.get(stored.name.lower())
        return describe(target, stored, running, queued, notice, self.jobs.folder.name)

    def instances(self) -> list[tuple[str, InstanceDefinition]]:
        """The instances, and what they were made as."""
        found = [(x.name, read_definition(x.definition)) for x in self._stored.values()]
        return [(name, made) for name, made in found if isinstance(made, InstanceDefinition)]

    def in_use(self, name: str) -> list[str]:
        """What keeps the target from being idle, in words."""
        return self._managed(name).in_use

    def has_jobs(self, name: str) -> bool:
        """Do jobs run on it?"""
        return bool(self._jobs(name, queued=False))


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
