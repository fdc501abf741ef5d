"""An in-memory compute target: attempts end when, and as, the test says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from perijove.abc import AttemptSink, ComputeTarget
from perijove.models.attempts import STATUS, AttemptSpec, AttemptStatus
from perijove.models.events import EventType, SpoolEvent
from perijove.models.jobs import FailureReason, JobState
from perijove.models.workspaces import TargetSummary


class InMemoryTarget(ComputeTarget):
    """Runs nothing: `report` and `finish` play the runner."""

    kind = "memory"

    def __init__(self, name: str = "local", slots: int = 2) -> None:
        self.name = name
        self._slots = slots
        self._sink: AttemptSink | None = None
        self.running: dict[tuple[str, int], AttemptSpec] = {}
        self.launched: list[tuple[str, int]] = []
        self._numbers: dict[tuple[str, int], int] = {}

    async def start(self, sink: AttemptSink) -> None:
        self._sink = sink

    async def close(self) -> None:
        self._sink = None

    @property
    def slots(self) -> int:
        return self._slots

    async def launch(self, spec: AttemptSpec) -> None:
        key = (spec.job_id, spec.attempt)
        if key not in self.launched:
            self.launched.append(key)
            self.running[key] = spec

    async def adopt(self, spec: AttemptSpec) -> bool:
        return (spec.job_id, spec.attempt) in self.running

    async def cancel(self, job_id: str, attempt: int) -> None:
        if (job_id, attempt) in self.running:
            await self.finish(job_id, attempt, JobState.CANCELED)

    def summary(self) -> TargetSummary:
        return TargetSummary(
            name=self.name,
            kind=self.kind,
            state="running",
            slots=self._slots,
            running_jobs=len(self.running),
            queued_jobs=0,
        )

    async def report(
        self, job_id: str, attempt: int, *events: tuple[EventType, dict[str, object]]
    ) -> None:
        """Deliver events as the attempt's runner would."""
        assert self._sink is not None
        spooled = []
        for type, data in events:
            number = self._numbers[job_id, attempt] = self._numbers.get((job_id, attempt), 0) + 1
            spooled.append(
                SpoolEvent.model_validate(
                    {"seq": number, "time": datetime.now(UTC), "type": type, "data": data}
                )
            )
        await self._sink.events(job_id, attempt, spooled)

    async def finish(
        self,
        job_id: str,
        attempt: int,
        state: JobState = JobState.SUCCEEDED,
        reason: FailureReason | None = None,
    ) -> None:
        """End the attempt with a verdict, unless its folder has one."""
        assert self._sink is not None
        spec = self.running.pop((job_id, attempt))
        status = Path(spec.folder) / STATUS
        if not status.exists():
            verdict = AttemptStatus(state=state, reason=reason, ended_at=datetime.now(UTC), pid=0)
            status.write_text(verdict.model_dump_json())
        await self._sink.ended(job_id, attempt)
