"""Looks at a server that does not tell what changed."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from zlib import crc32

from perijove.models.events import TrackingChange
from perijove.tracking.connection import Connection

EXPERIMENTS, RUNS, MODELS = 100, 200, 100
"""How many of each are looked at: those changed, or started, last."""


class Watch:
    """Compares what the server says with what it said last."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._seen: dict[str, dict[str, int]] | None = None
        self._places: dict[str, str] = {}

    async def look(self) -> TrackingChange:
        """What changed since the last look; nothing at the first."""
        experiments, models = await asyncio.gather(
            self._connection.post(
                "experiments/search",
                {"max_results": EXPERIMENTS, "order_by": ["last_update_time DESC"]},
            ),
            self._connection.get(
                "registered-models/search",
                {"max_results": str(MODELS), "order_by": "last_updated_timestamp DESC"},
            ),
        )
        listed = experiments.get("experiments", [])
        runs = await self._connection.post(
            "runs/search",
            {
                "experiment_ids": [found["experiment_id"] for found in listed],
                "order_by": ["attributes.start_time DESC"],
                "max_results": RUNS,
            },
        )
        places = {r["info"]["run_id"]: r["info"]["experiment_id"] for r in runs.get("runs", [])}
        now = {
            "experiments": {found["experiment_id"]: _print(found) for found in listed},
            "runs": {run["info"]["run_id"]: _print(run) for run in runs.get("runs", [])},
            "models": {m["name"]: _print(m) for m in models.get("registered_models", [])},
        }
        before, self._seen = self._seen, now
        known, self._places = self._places, places
        if before is None:
            return TrackingChange()
        changed = {
            kind: [key for key in {**before[kind], **now[kind]}
                   if before[kind].get(key) != now[kind].get(key)]
            for kind in now
        }  # fmt: skip
        moved = [run for run in changed["runs"] if run not in known or run not in places]
        touched = {(places.get(run) or known[run]): None for run in moved}
        experiments_changed = dict.fromkeys([*changed["experiments"], *touched])
        return TrackingChange(
            experiments=list(experiments_changed), runs=changed["runs"], models=changed["models"]
        )


def _print(found: Any) -> int:
    return crc32(json.dumps(found, sort_keys=True).encode())
