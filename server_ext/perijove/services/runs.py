"""Runs: MLflow's, searched, shown and changed."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from perijove.abc.records import Records
from perijove.errors import Conflict, InvalidInput, NotFound
from perijove.models.experiments import Lifecycle
from perijove.models.runs import (
    EXPORTED,
    MOST,
    HistoryWish,
    Lineage,
    Run,
    RunChange,
    RunExport,
    RunsDone,
    RunSearch,
)
from perijove.services.experiments import NOTE, check_lengths, check_tags
from perijove.services.lineage import lineage_of
from perijove.services.runfiles import RunFiles

TAG_LENGTH = 8000
"""What MLflow keeps of a run's tag; the rest it cuts off without a word."""
KINDS = ("metrics", "params", "tags")
SAID = 500
"""Characters of what MLflow says of a search: it repeats all that it does not take."""
LANGUAGE: dict[str | None, str] = {
    "filter": "For example: metrics.auc > 0.9 AND params.depth = '3'. Texts stand in quotes, and "
    "there is no OR.",
    "order_by": "For example: metrics.auc DESC, or params.`learning rate`; one name each.",
}
CSV_ROWS = 500
"""Lines of a table that are written at a time."""


@dataclass
class RunService:
    """See the routes; `files` has what is about their artifacts."""

    records: Records
    files: RunFiles

    async def search(self, question: RunSearch) -> bytes:
        """A `RunPage` as JSON.

        Raises
        ------
        InvalidInput: MLflow does not take the filter or the order; in its words, and what it takes.
        """
        try:
            return await self.records.search(question)
        except InvalidInput as error:
            error.message = f"{error.message[:SAID].rstrip('. ')}."
            error.remedy = error.remedy or LANGUAGE.get(error.field)
            raise

    async def history(self, wish: HistoryWish) -> bytes:
        """A list of `RunSeries` as JSON."""
        if wish.start is not None and wish.end is not None and wish.start > wish.end:
            raise InvalidInput("start must not be after end.", field="start")
        return await self.records.history(wish)

    async def get(self, run_id: str) -> Run:
        """The run, deleted or not, with this id, or with an id that starts so (four characters or
        more).

        Raises
        ------
        NotFound: no run, or several.
        """
        return await self.records.run(await self._id(run_id))

    async def _id(self, run_id: str) -> str:
        if not re.fullmatch("[0-9a-f]{4,31}", run_id):
            return run_id  # a whole one, or of no run
        found = await self.records.starting(run_id)
        if len(found) > 1:
            raise NotFound(
                f"Several runs have ids that start with {run_id!r}.",
                field="run_id",
                remedy="Give more of the id.",
            )
        return found[0] if found else run_id

    async def change(self, run_id: str, wish: RunChange) -> Run:
        """Rename, describe, tag.

        Raises
        ------
        Conflict: it is deleted.
        """
        check_tags(wish.tags, TAG_LENGTH)
        tags = dict(wish.tags)
        if wish.description is not None:
            tags[NOTE] = wish.description or None
        check_lengths(tags, TAG_LENGTH)
        found = await self.get(run_id)
        if found.lifecycle_stage is Lifecycle.DELETED:
            raise Conflict(f"Run {found.name} is deleted.", remedy="Restore it first.")
        if wish.name is not None and wish.name != found.name:
            await self.records.rename_run(found.run_id, wish.name)
        await self.records.tag_run(found.run_id, tags)
        return await self.get(found.run_id)

    async def delete(self, run_ids: Sequence[str]) -> RunsDone:
        """All of them, or none if one is not there."""
        return await self._move(run_ids, Lifecycle.DELETED)

    async def restore(self, run_ids: Sequence[str]) -> RunsDone:
        """All of them, or none if one is not there."""
        return await self._move(run_ids, Lifecycle.ACTIVE)

    async def _move(self, run_ids: Sequence[str], stage: Lifecycle) -> RunsDone:
        unique = list(dict.fromkeys([await self._id(run_id) for run_id in run_ids]))
        await self.records.move_runs(unique, stage)
        return RunsDone(run_ids=unique)

    async def lineage(self, run_id: str) -> Lineage:
        """Its data, its source, its models and their versions."""
        return lineage_of(await self.get(run_id))

    async def csv(self, question: RunExport) -> AsyncIterator[bytes]:
        """A table of what a search finds: one line of names, one for each run.

        Searches before it returns, so that refusals are answers and not broken tables. Its columns
        are what any of the runs has: more than a page of them is read twice, and not kept.
        """
        keys: set[tuple[str, str]] = set()
        pages = 0
        async for runs in self._pages(question):
            keys.update((kind, key) for run in runs for kind in KINDS for key in run[kind])
            only, pages = runs, pages + 1
        return _pieces(sorted(keys), _alone(only) if pages == 1 else self._pages(question))

    async def _pages(self, question: RunExport) -> AsyncIterator[list[dict[str, Any]]]:
        """What a search finds, each run once: those that begin meanwhile move others along."""
        asked, left = question.model_dump(), question.limit
        seen: set[str] = set()
        while True:
            asked["limit"] = MOST if left is None else min(MOST, left)
            runs = json.loads(await self.search(RunSearch(**asked)))["runs"]
            yield [run for run in runs if run["run_id"] not in seen]
            seen.update(run["run_id"] for run in runs)
            asked["offset"] += asked["limit"]
            left = None if left is None else left - asked["limit"]
            if left == 0 or len(runs) < asked["limit"]:
                return


async def _alone(runs: list[dict[str, Any]]) -> AsyncIterator[list[dict[str, Any]]]:
    yield runs


async def _pieces(
    keys: Sequence[tuple[str, str]], pages: AsyncIterator[list[dict[str, Any]]]
) -> AsyncIterator[bytes]:
    head = [*EXPORTED, *(f"{kind}.{key}" for kind, key in keys)]
    yield _lines([[safe(name) for name in head]])
    async for runs in pages:
        for start in range(0, len(runs), CSV_ROWS):
            yield _lines(_row(run, keys) for run in runs[start : start + CSV_ROWS])


def _row(run: dict[str, Any], keys: Sequence[tuple[str, str]]) -> list[str]:
    found = [run.get(of) for of in EXPORTED.values()] + [run[kind].get(key) for kind, key in keys]
    return ["" if item is None else safe(str(item)) for item in found]


def _lines(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def safe(text: str) -> str:
    """Text that a spreadsheet would take for a formula gets an apostrophe; numbers stay."""
    if text[:1] in ("=", "+", "-", "@", "\t", "\r"):
        try:
            float(text)
        except ValueError:
            return f"'{text}"
    return text
