"""An in-memory tracker that can be away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from perijove.abc import Tracker
from perijove.errors import TrackingUnreachable
from perijove.models.jobs import MetricPoint


@dataclass
class InMemoryRun:
    """A run as it was written."""

    job_id: str
    experiment_id: str
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    artifacts: set[str] = field(default_factory=set)
    status: str = "RUNNING"


class InMemoryTracker(Tracker):
    """See `Tracker`; `away` makes every call fail as an unreachable server does."""

    def __init__(self, assigns_run_ids: bool = True) -> None:
        self._assigns = assigns_run_ids
        self.away = False
        self.names: dict[str, str] = {}
        self.runs: dict[str, InMemoryRun] = {}

    @property
    def tracking_uri(self) -> str:
        return "memory:"

    @property
    def assigns_run_ids(self) -> bool:
        return self._assigns

    async def ready(self) -> bool:
        return not self.away

    async def ensure_experiment(self, name: str, chosen: str | None = None) -> str:
        self._reach()
        return self.names.setdefault(name, chosen or str(len(self.names) + 1))

    async def ensure_run(
        self,
        job_id: str,
        experiment_id: str,
        *,
        run_id: str | None,
        name: str,
        start_time_ms: int,
        tags: Mapping[str, str],
    ) -> str:
        self._reach()
        for known, run in self.runs.items():
            if run.job_id == job_id:
                return known
        made = run_id or uuid4().hex
        self.runs[made] = InMemoryRun(job_id, experiment_id, dict(tags))
        return made

    async def log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        self._reach()
        self.runs[run_id].params |= params

    async def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        self._reach()
        self.runs[run_id].tags |= tags

    async def end_run(self, run_id: str, status: str, end_time_ms: int) -> None:
        self._reach()
        self.runs[run_id].status = status

    async def log_artifacts(self, run_id: str, files: Sequence[tuple[Path, str]]) -> None:
        self._reach()
        self.runs[run_id].artifacts |= {path for _, path in files}

    async def metrics(self, run_id: str) -> dict[str, list[MetricPoint]]:
        self._reach()
        return {}

    async def experiments(self) -> list[tuple[str, str]]:
        self._reach()
        return [(key, name) for name, key in self.names.items()]

    async def close(self) -> None:
        self.away = True

    def _reach(self) -> None:
        if self.away:
            raise TrackingUnreachable("The in-memory tracker is away.")
