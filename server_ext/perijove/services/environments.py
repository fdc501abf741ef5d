"""The verbs on environments that are built: create, wait for, build again, delete."""

from __future__ import annotations

import asyncio
import logging
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from perijove.abc import EnvironmentStore, JobStore
from perijove.errors import Conflict, EnvironmentFailed
from perijove.models.environments import (
    BASE,
    DeletedEnvironment,
    EnvironmentDefinition,
    EnvironmentDetails,
    EnvironmentState,
    EnvironmentSummary,
    StoredEnvironment,
)
from perijove.services.broker import Broker
from perijove.services.catalog import Catalog

log = logging.getLogger(__name__)

LOG_PIECE = 1 << 20
"""Bytes of a build log in one answer."""


def _nothing(*_: object) -> None:
    return None


@dataclass
class Environments:
    """What a verb has begun is found again after a crash."""

    store: EnvironmentStore
    catalog: Catalog
    jobs: JobStore
    broker: Broker
    user: str
    changed: Callable[[], None] = _nothing
    """Called when one can be used from now on, or never."""
    forget: Callable[[str], None] = _nothing
    """Called before the environment of this interpreter is removed."""
    removed: Callable[[], None] = _nothing
    """Called when other machines may remove theirs, too."""
    _builds: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up what the last hub has left: builds, and folders of what was deleted."""
        for row in self.store.all():
            self.catalog.rows[row.name, row.version] = row
        self._sweeping = asyncio.create_task(self._sweep())
        for row in list(self.catalog.live()):
            if (
                row.state is EnvironmentState.READY
                and self.catalog.builder.built(row.content) is None
            ):
                log.warning(
                    "Environment %s is gone from the disk: it is built again", row.reference
                )
                self._set(row, state=EnvironmentState.QUEUED)
        self.catalog.write_kernels()
        for row in list(self.catalog.live()):
            if not row.state.settled:
                self._begin(row)

    async def close(self) -> None:
        """End the builds; the next hub begins them again."""
        tasks = list(self._builds.values())
        tasks += [] if self._sweeping is None else [self._sweeping]
        for task in tasks:
            task.cancel()
        await self.catalog.builder.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    def log(self, name: str, offset: int = 0) -> tuple[bytes, bool]:
        """What the build has said from this byte on; whether that may be all."""
        row = self._built_row(name)
        try:
            with self.catalog.builder.log_file(row.digest).open("rb") as file:
                file.seek(offset)
                data = file.read(LOG_PIECE)
        except FileNotFoundError:
            data = b""
        return data, row.state.settled and len(data) < LOG_PIECE

    async def wait(self, name: str, timeout: float) -> EnvironmentDetails:
        """The environment when its build is over, or as it is after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        found = self.catalog.get(name)
        with self.broker.subscribe() as changed:
            while True:
                changed.clear()
                found = self.catalog.get(found.reference)
                left = deadline - time.monotonic()
                if found.state.settled or left <= 0 or self.broker.closed:
                    return found
                try:
                    await asyncio.wait_for(changed.wait(), left)
                except TimeoutError:
                    continue

    # verbs

    async def create(self, definition: EnvironmentDefinition) -> EnvironmentSummary:
        """Make a version and build it. The same content gives the version that there is; one
        whose build has failed is built again.

        Raises
        ------
        Conflict: a kernelspec has the name.
        InvalidInput: see `EnvironmentBuilder.check`.
        """
        name = definition.name
        if name == BASE or self.catalog.kernelspecs.has(name):
            raise Conflict(
                f"There is {'an environment' if name == BASE else 'a kernel'} named {name!r} "
                "already.",
                field="name",
                remedy="Choose another name.",
            )
        content = definition.content(".".join(platform.python_version_tuple()[:2]))
        digest = content.digest
        if not any(row.digest == digest for row in self.catalog.live()):
            await self.catalog.builder.check(content)
        rows = [row for (known, _), row in sorted(self.catalog.rows.items()) if known == name]
        found = next((row for row in rows if row.digest == digest), None)
        now = datetime.now(UTC)
        if found is None:
            found = StoredEnvironment(
                name=name,
                version=max((row.version for row in rows), default=0) + 1,
                digest=digest,
                source=definition.source,
                text=definition.text,
                python=content.python,
                state=EnvironmentState.QUEUED,
                created_at=now,
                created_by=self.user,
            )
            self.store.add(found)
            self.catalog.rows[name, found.version] = found
        elif found.deleted or found.state is EnvironmentState.FAILED:
            created = {"created_at": now, "created_by": self.user} if found.deleted else {}
            state = EnvironmentState.QUEUED
            found = self._set(found, state=state, message=None, deleted=False, **created)
        if not found.state.settled:
            self._begin(found)
        return self.catalog.summary(self.catalog.rows[name, found.version])

    def build(self, name: str) -> EnvironmentSummary:
        """Try a build that has failed again; any other is left as it is."""
        row = self._built_row(name)
        if row.state is EnvironmentState.FAILED:
            row = self._set(row, state=EnvironmentState.QUEUED, message=None)
            self._begin(row)
        return self.catalog.summary(self.catalog.rows[row.name, row.version])

    async def delete(self, name: str) -> DeletedEnvironment:
        """Delete all versions, or with ``name:version`` that one, and free their disk.

        Raises
        ------
        Conflict: a job that is not over uses it, or it is none that was created.
        """
        one = self._built_row(name)
        rows = [row for row in self.catalog.live() if row.name == one.name]
        if ":" in name or name.endswith("@latest"):
            rows = [one]
        references = {row.reference for row in rows}
        users = [job for job in self.jobs.active() if job.environment in references]
        if users:
            raise Conflict(
                f"{name} is used by {len(users)} job{'s' * (len(users) != 1)} that must end first.",
                field="name",
                remedy="Wait for them, or cancel them: perijove job list.",
            )
        for row in rows:
            self._set(row, deleted=True)
        self.catalog.write_kernels()
        freed = 0
        for digest in {row.digest for row in rows} - {row.digest for row in self.catalog.live()}:
            freed += await self._remove(digest)
        self.removed()
        return DeletedEnvironment(
            name=one.name, versions=[row.version for row in rows], freed_bytes=freed
        )

    # details

    async def _sweep(self) -> None:
        """Remove what a deletion that was cut short has left."""
        for digest in self.catalog.builder.digests():
            if all(row.digest != digest for row in self.catalog.live()):
                await self.catalog.builder.remove(digest)

    async def _remove(self, digest: str) -> int:
        if (task := self._builds.pop(digest, None)) is not None:
            task.cancel()
        for row in self.catalog.rows.values():
            if (
                row.digest == digest
                and (result := self.catalog.builder.built(row.content)) is not None
            ):
                self.forget(result.python)
                break
        return await self.catalog.builder.remove(digest)

    def _begin(self, row: StoredEnvironment) -> None:
        if row.digest in self._builds:
            self._set(row, state=EnvironmentState.BUILDING)
            return
        if (result := self.catalog.builder.built(row.content)) is not None:
            self._set(
                row,
                state=EnvironmentState.READY,
                message=result.warning,
                size=result.size,
                built_at=datetime.now(UTC),
            )
            self._settled()
            return
        task = self._builds[row.digest] = asyncio.create_task(self._build(row))
        task.add_done_callback(lambda done: self._done(row.digest, done))

    async def _build(self, row: StoredEnvironment) -> None:
        self._set_all(row.digest, state=EnvironmentState.BUILDING, message=None)
        try:
            result = await self.catalog.builder.build(row.content)
        except (EnvironmentFailed, OSError) as error:
            self._set_all(row.digest, state=EnvironmentState.FAILED, message=str(error))
        else:
            self._set_all(
                row.digest,
                state=EnvironmentState.READY,
                message=result.warning,
                size=result.size,
                built_at=datetime.now(UTC),
            )
        self._settled()

    def _done(self, digest: str, task: asyncio.Task[None]) -> None:
        if self._builds.get(digest) is task:
            del self._builds[digest]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("The build of environment %s failed", digest, exc_info=error)

    def _settled(self) -> None:
        self.catalog.write_kernels()
        self.broker.changed()
        self.changed()

    def _set_all(self, digest: str, **changes: object) -> None:
        for row in [row for row in self.catalog.live() if row.digest == digest]:
            self._set(row, **changes)

    def _set(self, row: StoredEnvironment, **changes: object) -> StoredEnvironment:
        found = self.store.update(row.name, row.version, **changes) or row
        self.catalog.rows[row.name, row.version] = found
        self.broker.changed()
        return found

    def _built_row(self, name: str) -> StoredEnvironment:
        row = self.catalog.row(self.catalog.resolve(name, field="name"))
        if row is None:
            raise Conflict(
                f"{name} was not created with Perijove: it has no build and cannot be deleted.",
                field="name",
            )
        return row
