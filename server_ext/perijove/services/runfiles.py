"""The files of runs: listed, shown, read, compared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from perijove.abc import TaskRunner
from perijove.abc.artifacts import Artifacts, OpenFile
from perijove.abc.records import Records
from perijove.errors import InvalidInput, NotFound
from perijove.models.runs import ArtifactPage, ArtifactPreview, NotebookDiff
from perijove.services.previews import COPIED_BYTES, copied, how, parquet, preview

NOTEBOOK_BYTES = 32 << 20
ROOTS = 1000
"""Runs whose artifacts' places are remembered."""
NOTEBOOKS = "notebook"
"""The folder among a run's artifacts in which a job keeps the executed notebook."""


@dataclass
class RunFiles:
    """See the routes."""

    records: Records
    artifacts: Artifacts
    tasks: TaskRunner
    _roots: dict[str, str] = field(default_factory=dict)

    async def list(self, run_id: str, path: str, page: str | None, limit: int) -> ArtifactPage:
        """A folder's entries. Raises NotFound."""
        root = await self._root(run_id)
        return await self.artifacts.list(run_id, root, path, page, limit)

    async def open(
        self, run_id: str, path: str, start: int = 0, end: int | None = None
    ) -> OpenFile:
        """A file's bytes. Raises NotFound."""
        root = await self._root(run_id)
        return await self.artifacts.open(run_id, root, path, start, end)

    async def preview(self, run_id: str, path: str) -> ArtifactPreview:
        """What can be shown of a file. Raises NotFound."""
        kind, wanted = how(path)
        file = await self.open(run_id, path, 0, wanted)
        head = b"".join([piece async for piece in file.content])
        size = len(head) if file.size is None else file.size
        if kind != "parquet":
            return await asyncio.to_thread(preview, path, size, head)
        local = await self._local(run_id, path)
        return await parquet(
            self.tasks, path, size, self._pieces(run_id, path, COPIED_BYTES), local
        )

    async def notebook_diff(self, left: str, right: str) -> NotebookDiff:
        """What differs between two runs' executed notebooks.

        Raises
        ------
        NotFound: one of them has none.
        """
        paths = [(run_id, await self._notebook(run_id)) for run_id in (left, right)]
        async with (
            self._file(*paths[0], NOTEBOOK_BYTES) as one,
            self._file(*paths[1], NOTEBOOK_BYTES) as other,
        ):
            args = {"left": str(one), "right": str(other)}
            return NotebookDiff.model_validate(await self.tasks.run("notebook_diff", args))

    async def _notebook(self, run_id: str) -> str:
        try:
            page = await self.list(run_id, NOTEBOOKS, None, 1000)
        except NotFound as error:
            if error.field != "path":
                raise
            page = ArtifactPage(path=NOTEBOOKS, entries=[])
        found = [entry for entry in page.entries if entry.path.endswith(".ipynb")]
        if not found:
            run = await self.records.run(run_id)
            raise NotFound(
                f"Run {run.name} has no executed notebook.",
                remedy="Runs of notebook jobs have one.",
            )
        if (found[0].size or 0) > NOTEBOOK_BYTES:
            raise InvalidInput(
                f"{found[0].path} is longer than the {NOTEBOOK_BYTES >> 20} MiB that are compared."
            )
        return found[0].path

    async def _root(self, run_id: str) -> str:
        """Where its artifacts are, which never changes; who takes them all asks for each."""
        if (known := self._roots.get(run_id)) is not None:
            return known
        if len(self._roots) >= ROOTS:
            self._roots.clear()
        root = self._roots[run_id] = await self.records.artifact_root(run_id)
        return root

    async def _local(self, run_id: str, path: str) -> Path | None:
        root = await self._root(run_id)
        return await self.artifacts.local(run_id, root, path)

    async def _pieces(self, run_id: str, path: str, most: int) -> AsyncIterator[bytes]:
        file = await self.open(run_id, path, 0, most)
        async for piece in file.content:
            yield piece

    @asynccontextmanager
    async def _file(self, run_id: str, path: str, most: int) -> AsyncIterator[Path]:
        """The file on this machine, copied here for a while if it is elsewhere."""
        local = await self._local(run_id, path)
        async with copied(self._pieces(run_id, path, most), local) as file:
            yield file
