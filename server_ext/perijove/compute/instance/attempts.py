"""Attempts that an agent runs: launched, followed and ended by what the two sides say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from perijove.compute.folders import Attempt, FolderTarget
from perijove.compute.instance.link import AgentLink
from perijove.compute.instance.machine import Machine
from perijove.models.agents import AttemptOrder
from perijove.models.attempts import STATUS
from perijove.models.jobs import FailureReason, JobState

GONE_FOR_GOOD = 1800.0
"""Seconds a machine may be out of reach until its attempts count as lost."""


class AgentAttempts(FolderTarget):
    """The attempts of one machine."""

    claims_late = True  # the machine may be out of reach when it is launched

    def __init__(
        self,
        name: str,
        lease: float,
        machine: Machine,
        link: AgentLink,
        attempt_token: Callable[[str, int], str],
    ) -> None:
        super().__init__(name, lease)
        self.machine = machine
        self._link = link
        self._attempt_token = attempt_token

    def reconcile(self, there: set[str]) -> None:
        """The agent has called, and has these."""
        ours = {_key(attempt): attempt for attempt in self._attempts.values()}
        for key, attempt in ours.items():
            if attempt.runner() is None or self.machine.shared:
                self._launch(attempt)
            elif key not in there:
                attempt.why = "The machine knows nothing of the job any more."
                attempt.over.set()
            if attempt.canceling:
                self._link.say({"cancel": key})

    async def begin(self, attempt: Attempt) -> None:
        self._launch(attempt)

    def _launch(self, attempt: Attempt) -> None:
        spec = attempt.spec
        order = AttemptOrder(
            job_id=spec.job_id,
            attempt=spec.attempt,
            folder=spec.folder if self.machine.shared else None,
            token=self._attempt_token(spec.job_id, spec.attempt),
        )
        self._link.say({"launch": order.model_dump()})

    async def claimed(self, attempt: Attempt, pid: int | None) -> None:
        while attempt.runner() is None and not (attempt.folder / STATUS).exists():
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await attempt.taken.wait()
            if attempt.over.is_set() and attempt.runner() is None:
                return

    async def gone(self, attempt: Attempt) -> None:
        if self.machine.shared:
            await super().gone(attempt)
            return
        # the agent says so when everything was copied; an earlier hub may have heard it
        if not (attempt.folder / STATUS).exists():
            await attempt.over.wait()

    async def withdraw(self, attempt: Attempt) -> None:
        self._link.say({"cancel": _key(attempt)})

    async def interrupt(self, attempt: Attempt) -> None:
        if self.machine.shared:
            await super().interrupt(attempt)

    async def end(self, attempt: Attempt) -> None:
        if self.machine.shared:
            await super().end(attempt)
        else:
            self._link.say({"forget": _key(attempt)})
        attempt.over.set()

    def overdue(self, attempt: Attempt, silent: float) -> bool:
        if not (self.machine.shared or self.machine.ended or self._link.up.is_set()):
            return silent > GONE_FOR_GOOD
        return super().overdue(attempt, silent)

    async def revoke(
        self,
        attempt: Attempt,
        state: JobState,
        reason: FailureReason | None,
        message: str | None,
    ) -> None:
        await super().revoke(attempt, state, reason, message)
        attempt.taken.set()

    def delivered(self, job_id: str, attempt: int) -> None:
        found = self._attempts.get((job_id, attempt))
        if found is not None:
            found.taken.set()
            found.over.set()


def _key(attempt: Attempt) -> str:
    return f"{attempt.spec.job_id}/{attempt.spec.attempt}"
