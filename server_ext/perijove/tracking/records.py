"""Experiments and runs of the embedded server: read by our own routes inside its process."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from pydantic import TypeAdapter

from perijove.errors import NotFound, PerijoveError, from_json
from perijove.models.events import TrackingChange
from perijove.models.experiments import Experiment, Lifecycle, View
from perijove.models.runs import Column, HistoryWish, RunSearch
from perijove.tracking.existing import RestRecords

_EXPERIMENTS = TypeAdapter(list[Experiment])
_COLUMNS = TypeAdapter(list[Column])


class EmbeddedRecords(RestRecords):
    """See `Records`. What is written goes through MLflow's API."""

    async def experiments(self, view: View, filter: str = "") -> list[Experiment]:
        found = _EXPERIMENTS.validate_json(await self._ask("experiments", {"view": view}))
        if not filter:
            return found
        chosen = {one.id for one in await super().experiments(view, filter)}
        return [one for one in found if one.id in chosen]

    async def experiment(self, experiment_id: str) -> Experiment:
        found = _EXPERIMENTS.validate_json(
            await self._ask("experiments", {"view": View.ALL, "only": experiment_id})
        )
        if not found:
            raise NotFound(f"There is no experiment {experiment_id}.", field="experiment")
        return found[0]

    async def columns(self, experiment_ids: Sequence[str]) -> list[Column]:
        wish = {"experiment_ids": list(experiment_ids)}
        return _COLUMNS.validate_json(await self._ask("columns", wish))

    async def search(self, question: RunSearch) -> bytes:
        return await self._ask("search", question.model_dump(mode="json"))

    async def points(self, run_id: str, keys: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = json.loads(await self._ask("points", {"run_id": run_id}))
        return found

    async def history(self, wish: HistoryWish) -> bytes:
        return await self._ask("history", wish.model_dump(mode="json"))

    async def move_runs(self, run_ids: Sequence[str], stage: Lifecycle) -> None:
        await self._ask("move", {"run_ids": list(run_ids), "stage": stage})

    async def changes(self) -> TrackingChange | None:
        return None

    async def _ask(self, route: str, wish: Mapping[str, Any]) -> bytes:
        url = f"/perijove/{route}"
        answer = await self._connection.request("POST", url, json=dict(wish))
        if answer.status_code == 200:
            return answer.content
        raise _error(answer) or self._connection.refusal(answer, url)


def _error(answer: httpx.Response) -> PerijoveError | None:
    """Ours, as it was raised there."""
    try:
        said = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return None
    return from_json(said) if isinstance(said, dict) else None
