"""Writes jobs into MLflow, from an outbox that survives everything.

A job has two steps: *start* (its run, with parameters and tags) and *finish* (artifacts, final
tags, the end). Each is idempotent, so it is simply done again after a crash or an outage, and a
job's steps are done in order. Submitting and running never wait for them.
"""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from perijove.abc import JobStore, OutboxStep, TaskRunner, Tracker
from perijove.errors import InvalidInput, PerijoveError, TrackingUnreachable
from perijove.faults import step
from perijove.models.attempts import OUTPUT, STATUS, AttemptStatus
from perijove.models.events import EventType
from perijove.models.jobs import Job, JobKind, JobState
from perijove.models.logged import LOGGED, LoggedSpool
from perijove.models.workspaces import WorkspaceFolder
from perijove.services.broker import Broker
from perijove.services.events import EventLogs
from perijove.services.files import ENVIRONMENT, HTML, JOB_LOG, job_files, outputs_folder
from perijove.services.logs import log_text

log = logging.getLogger(__name__)

AT_ONCE = 2
"""Jobs recorded at the same time: more only makes SQLite's writers wait for each other."""
RETRY_FIRST, RETRY_LAST = 0.1, 2.0
"""Seconds between two tries while MLflow is away."""
EXPERIMENT_PATIENCE = 10.0
"""Seconds a job waits for the id of a new experiment while MLflow starts."""
RUN_STATUS = {
    JobState.SUCCEEDED: "FINISHED",
    JobState.FAILED: "FAILED",
    JobState.CANCELED: "KILLED",
}


@dataclass
class Recorder:
    """The outbox's loop."""

    folder: WorkspaceFolder
    store: JobStore
    logs: EventLogs
    broker: Broker
    tracker: Tracker
    tasks: TaskRunner
    reachable: bool = True
    fresh: bool = False
    """MLflow's database is not there yet: nothing can be in it."""
    _sure: bool = False
    """MLflow has answered, and nothing has failed since."""
    _patience: float = RETRY_FIRST
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _working: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _experiments: dict[str, str] = field(default_factory=dict)
    _chosen: dict[str, str] = field(default_factory=dict)
    _again: set[int] = field(default_factory=set)

    def wake(self) -> None:
        """A step was added."""
        self._wake.set()

    async def run(self) -> None:
        """Do the outbox's steps, for ever."""
        delay = RETRY_FIRST
        while True:
            self._wake.clear()
            steps = self.store.outbox(skip=self._working, limit=AT_ONCE - len(self._working))
            if steps and not self._sure and not await self._is_ready():
                await asyncio.sleep(delay)
                delay = min(RETRY_LAST, delay * 2)
                continue
            delay = RETRY_FIRST
            for found in steps:
                task = asyncio.create_task(self._do(found))
                self._working[found.job_id] = task
                task.add_done_callback(partial(self._finished, found.job_id))
            if not steps or len(self._working) >= AT_ONCE:
                await self._wake.wait()

    def _finished(self, job_id: str, _: asyncio.Task[None]) -> None:
        self._working.pop(job_id, None)
        self._wake.set()

    async def close(self) -> None:
        """Stop where it is; what is not done is done by the next hub."""
        for task in list(self._working.values()):
            task.cancel()
        await asyncio.gather(*self._working.values(), return_exceptions=True)

    async def flush(self, job_id: str, timeout: float) -> bool:
        """Wait until nothing of the job is pending; False at the timeout (seconds)."""
        deadline = asyncio.get_running_loop().time() + timeout
        self.wake()
        while any(found.job_id == job_id for found in self.store.outbox(limit=1000)):
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(0.05)
        return True

    async def experiment_id(self, name: str) -> str | None:
        """The experiment's id; made if MLflow answers now, chosen if there is no MLflow yet.

        None: MLflow is away, and may have an experiment of this name.
        """
        if name in self._experiments:
            return self._experiments[name]
        if self.fresh:
            digest = hashlib.sha256(name.encode()).digest()
            return self._chosen.setdefault(name, str(int.from_bytes(digest[:6]) + 1))
        try:
            async with asyncio.timeout(EXPERIMENT_PATIENCE):
                self._experiments[name] = await self.tracker.ensure_experiment(name)
        except (PerijoveError, TimeoutError):
            return None
        return self._experiments[name]

    async def _is_ready(self) -> bool:
        ready = await self.tracker.ready()
        if ready and self.fresh:
            # what was chosen while there was nothing is made before anything else is
            try:
                for name, chosen in list(self._chosen.items()):
                    self._experiments[name] = await self.tracker.ensure_experiment(name, chosen)
                self.fresh = False
            except PerijoveError:
                ready = False
        self._sure = ready
        if ready != self.reachable:
            self.reachable = ready
            self.broker.changed()
        return ready

    async def _do(self, found: OutboxStep) -> None:
        job = self.store.get(found.job_id)
        if job is None:
            self.store.outbox_done(found)
            return
        try:
            await (self._start(job) if found.step == "start" else self._finish(job))
        except TrackingUnreachable as error:
            self.reachable = self._sure = False
            log.info("MLflow is away, job %s is recorded later: %s", job.id, error)
            # it may answer and yet not take anything, as with a full disk
            await asyncio.sleep(self._patience)
            self._patience = min(RETRY_LAST, self._patience * 2)
            return
        except InvalidInput as error:
            # the experiment may have been deleted since it was looked up: once more, afresh
            if self._experiments.pop(job.experiment, None) and found.id not in self._again:
                self._again.add(found.id)
                return
            # refused for good: trying again would block everything behind it
            log.error("MLflow refused the %s of job %s: %s", found.step, job.id, error)
            self.store.update(job.id, message=job.message or f"MLflow refused it: {error}")
        except Exception:
            log.exception("Recording the %s of job %s failed", found.step, job.id)
            await asyncio.sleep(RETRY_LAST)
            return
        self._patience = RETRY_FIRST
        if found.step == "finish":
            step("finish.recorded")
        self.store.outbox_done(found)
        if found.step == "finish":
            self.store.update(job.id, recorded=True)
            if not job.deleted:
                with suppress(OSError):
                    self.logs.note(job.id, job.attempt, EventType.RECORDED, {"run_id": job.run_id})
                self.logs.forget(job.id)
        self.broker.changed()

    async def _start(self, job: Job) -> None:
        experiment_id = self._experiments.get(job.experiment)
        if experiment_id is None:
            chosen = self._chosen.get(job.experiment)
            experiment_id = await self.tracker.ensure_experiment(job.experiment, chosen)
            self._experiments[job.experiment] = experiment_id
        run_id = await self.tracker.ensure_run(
            job.id,
            experiment_id,
            run_id=job.run_id,
            name=job.name,
            start_time_ms=_milliseconds(job.created_at),
            tags=_start_tags(job),
        )
        self.store.update(job.id, run_id=run_id, experiment_id=experiment_id)
        self.broker.changed()
        if job.parameters:
            await self.tracker.log_params(run_id, _texts(job.parameters))

    async def _finish(self, job: Job) -> None:
        assert job.run_id is not None
        assert job.ended_at is not None
        if not job.deleted:
            with suppress(OSError):
                self.logs.note_state(job)
        for attempt in range(1, job.attempt + 1):
            spool = LoggedSpool(self.folder.attempt(job.id, attempt) / LOGGED)
            if spool.pending():
                await self.tracker.send_logged(spool)
            spool.remove()
        folder = self.folder.attempt(job.id, job.attempt)
        status = _status(folder / STATUS)
        await asyncio.to_thread(self._write_logs, job, folder, status)
        # the run is complete but for its HTML view first: that one takes longest
        files = job_files(self.folder, job)
        rendered = folder / HTML
        await self.tracker.log_artifacts(
            job.run_id, [(file, path) for path, file in files.items() if file != rendered]
        )
        await self.tracker.set_tags(job.run_id, _finish_tags(job, status))
        since = None
        if job.state is JobState.SUCCEEDED and (status is None or status.logged):
            # a job may succeed whose code calls its run a failure; what an attempt before it did so
            # for is mended
            before = _status(self.folder.attempt(job.id, job.attempt - 1) / STATUS)
            since = _milliseconds(before.ended_at) + 1 if before else 0
        ended = _milliseconds(job.ended_at)
        await self.tracker.end_run(job.run_id, RUN_STATUS[job.state], ended, unless_since_ms=since)
        if job.kind is JobKind.NOTEBOOK and (folder / OUTPUT).exists():
            if not rendered.exists():
                await self._render(job, folder, rendered)
            if rendered.exists():
                path = f"notebook/{Path(job.path).stem}.html"
                await self.tracker.log_artifacts(job.run_id, [(rendered, path)])

    async def _render(self, job: Job, folder: Path, target: Path) -> None:
        # what the job made comes before what lay beside its notebook
        beside = [
            outputs_folder(self.folder, job, job.attempt).parent,
            Path(job.root, job.path).parent,
        ]
        asked: dict[str, JsonValue] = {
            "notebook": str(folder / OUTPUT),
            "html": str(target),
            "title": job.name,
            "folders": [str(place) for place in beside],
        }
        try:
            await self.tasks.run("render", asked)
        except PerijoveError as error:
            log.warning("The notebook of job %s has no HTML view: %s", job.id, error)

    def _write_logs(self, job: Job, folder: Path, status: AttemptStatus | None) -> None:
        if not folder.is_dir():
            return
        with (folder / JOB_LOG).open("w", encoding="utf-8", errors="replace") as file:
            file.writelines(log_text(self.logs, job.id))
        if status is not None:
            known = {"kernel": status.kernel, "packages": status.packages}
            (folder / ENVIRONMENT).write_text(json.dumps(known, indent=1, sort_keys=True))


def _start_tags(job: Job) -> dict[str, str]:
    tags = {
        "perijove.job_id": job.id,
        "perijove.compute": job.compute,
        "perijove.state": job.state.value,
        "mlflow.user": user_name(),
        "mlflow.source.name": str(Path(job.root) / job.path),
        "mlflow.source.type": "NOTEBOOK" if job.kind is JobKind.NOTEBOOK else "LOCAL",
    }
    if job.environment:
        tags["perijove.environment"] = job.environment
    return job.tags | tags


def _finish_tags(job: Job, status: AttemptStatus | None) -> dict[str, str]:
    tags = {"perijove.state": job.state.value, "perijove.attempt": str(job.attempt)}
    if job.reason:
        tags["perijove.reason"] = job.reason.value
    if job.message:
        tags["perijove.message"] = job.message[:4000]
    if job.git_commit:
        tags["mlflow.source.git.commit"] = job.git_commit
    if job.started_at and job.ended_at:
        tags["perijove.duration"] = f"{(job.ended_at - job.started_at).total_seconds():.3f}"
    for key in ("name", "language", "version"):
        if status is not None and status.kernel.get(key):
            tags[f"perijove.kernel.{key}"] = str(status.kernel[key])
    return tags


def _status(path: Path) -> AttemptStatus | None:
    try:
        return AttemptStatus.model_validate_json(path.read_text())
    except (OSError, ValueError):
        return None


def _texts(parameters: Mapping[str, Any]) -> dict[str, str]:
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in parameters.items()}


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def user_name() -> str:
    """Who runs this."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
