"""The compute targets that there are, as one looks at them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perijove.abc import ComputeTarget, ManagedTarget, TargetMaker, TargetStore, Workshop
from perijove.errors import Conflict, NotFound
from perijove.models.compute import ComputeTargetInfo, Node, StoredTarget, TargetEvent, UsageSample
from perijove.models.instances import (
    HostQuestion,
    InstanceDefinition,
    ShownKey,
    read_definition,
)
from perijove.models.jobs import Job, JobState
from perijove.services.broker import Broker
from perijove.services.history import Histories
from perijove.services.targetinfo import Notice, describe, describe_local
from perijove.services.usage import UsageHistory

if TYPE_CHECKING:
    from perijove.services.jobs import JobService

LOG_CHARACTERS = 200_000
"""Of a target's log that are shown: its end."""
LOCAL = "local"


@dataclass
class Targets:
    """What is stored of them, and what they are now."""

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
    usages: UsageHistory = field(init=False)

    def __post_init__(self) -> None:
        self.history = Histories(lambda name: self.jobs.folder.compute / self._exact(name))
        self.usages = UsageHistory(self.jobs.supervisor.targets)

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
        return self._find(name).nodes

    def usage(self, name: str) -> list[UsageSample]:
        """What the target's nodes have used in the last minutes, oldest first."""
        return self.usages.of(self._find(name).name)

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

    # details

    def _jobs(self, name: str, queued: bool) -> list[Job]:
        return [
            job
            for job in self.jobs.store.active()
            if job.compute.lower() == name.lower() and (queued or job.state is not JobState.QUEUED)
        ]

    def _set(self, name: str, **changes: object) -> None:
        found = self.store.update(name, **changes)
        if found is not None:
            self._stored[name.lower()] = found
        self.broker.changed()

    def _exact(self, name: str) -> str:
        """As it was written when the target was made: what its folder is called."""
        stored = self._stored.get(name.lower())
        return stored.name if stored is not None else name

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
                f"{found.name} is this machine itself: it is always on, as it is, and has no log.",
                field="name",
                remedy="Choose another target: perijove compute list.",
            )
        return found

    def _info(self, target: ComputeTarget, queued: int) -> ComputeTargetInfo:
        running = len(self.jobs.supervisor.busy(target.name))
        stored = self._stored.get(target.name.lower())
        if stored is None or not isinstance(target, ManagedTarget):
            return describe_local(target, running, queued)
        notice = self.notices.get(stored.name.lower())
        return describe(target, stored, running, queued, notice, self.jobs.folder.name)
