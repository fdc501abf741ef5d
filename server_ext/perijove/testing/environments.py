"""Environments in memory, for tests of services."""

from __future__ import annotations

import asyncio
from pathlib import Path

from perijove.abc import EnvironmentBuilder, EnvironmentStore
from perijove.errors import EnvironmentFailed, InvalidInput
from perijove.models.environments import BuildResult, EnvironmentContent, StoredEnvironment


class InMemoryEnvironments(EnvironmentStore):
    """See `EnvironmentStore`."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int], StoredEnvironment] = {}

    def add(self, environment: StoredEnvironment) -> bool:
        key = (environment.name, environment.version)
        return self._rows.setdefault(key, environment) is environment

    def all(self) -> list[StoredEnvironment]:
        return [row for _, row in sorted(self._rows.items())]

    def update(self, name: str, version: int, **changes: object) -> StoredEnvironment | None:
        row = self._rows.get((name, version))
        if row is not None:
            row = self._rows[name, version] = row.model_copy(update=changes)
        return row


class InMemoryBuilder(EnvironmentBuilder):
    """Builds nothing. A build ends when the test says so, by `finish`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._results: dict[str, BuildResult] = {}
        self._under_way: dict[str, asyncio.Future[BuildResult]] = {}
        self.builds: list[str] = []
        """Digests, one for each build that was begun."""

    def finish(self, digest: str, failure: str | None = None) -> None:
        """End the build: well, or with a message."""
        under_way = self._under_way.pop(digest)
        if failure is not None:
            under_way.set_exception(EnvironmentFailed(failure))
            return
        result = BuildResult(python=f"/envs/{digest}/bin/python", version="3.11.0", size=1000)
        self._results[digest] = result
        under_way.set_result(result)

    async def check(self, content: EnvironmentContent) -> None:
        await asyncio.sleep(0)
        if "no such package" in content.text:
            raise InvalidInput("It cannot be read.", field="text")

    def built(self, content: EnvironmentContent) -> BuildResult | None:
        return self._results.get(content.digest)

    async def build(self, content: EnvironmentContent) -> BuildResult:
        if (found := self.built(content)) is not None:
            return found
        if content.digest not in self._under_way:
            self.builds.append(content.digest)
            self._under_way[content.digest] = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._under_way[content.digest])

    def log_file(self, digest: str) -> Path:
        return self._folder / f"{digest}.log"

    async def remove(self, digest: str) -> int:
        self._under_way.pop(digest, None)
        return 0 if self._results.pop(digest, None) is None else 1000

    def digests(self) -> list[str]:
        return list(self._results)

    async def close(self) -> None:
        self._under_way.clear()
