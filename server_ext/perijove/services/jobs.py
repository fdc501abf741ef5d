"""Jobs: submit, look at, cancel, run again, delete."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from perijove.abc import JobStore, Tracker
from perijove.background import Tasks
from perijove.errors import Conflict, InvalidInput, NotFound
from perijove.faults import step
from perijove.models.compute import Resources
from perijove.models.jobs import (
    DryRun,
    Job,
    JobDefinition,
    JobKind,
    JobState,
    JobSubmission,
    Progress,
    PruneReport,
    Rerun,
)
from perijove.models.problems import validated
from perijove.models.workspaces import WorkspaceConfig, WorkspaceFolder
from perijove.services.broker import Broker
from perijove.services.catalog import Catalog
from perijove.services.events import EventLogs
from perijove.services.git import commit_of
from perijove.services.snapshots import take_snapshot
from perijove.services.sources import Source, clean_name, read_source

if TYPE_CHECKING:
    from perijove.services.recorder import Recorder
    from perijove.services.supervisor import Supervisor

log = logging.getLogger(__name__)


@dataclass
class JobService:
    """The verbs on jobs. Everything durable is done before a verb returns."""

    folder: WorkspaceFolder
    config: WorkspaceConfig
    store: JobStore
    logs: EventLogs
    broker: Broker
    environments: Catalog
    supervisor: Supervisor
    recorder: Recorder
    tracker: Tracker

    def __post_init__(self) -> None:
        self._submitting = asyncio.Lock()
        self._tasks = Tasks("the jobs", log)

    async def submit(self, submission: JobSubmission) -> tuple[Job, bool]:
        """Store a job; (the job, whether it is new). An id that is known returns its job.

        Raises
        ------
        InvalidInput: the source, a parameter, the target or the environment breaks a rule.
        Conflict: the target never has what the job asks for.
        """
        job_id = str(submission.id)
        async with self._submitting:
            if (known := self.store.get(job_id)) is not None:
                return known, False
            return await self._submit(job_id, submission, rerun_of=None), True

    async def dry_run(self, submission: JobSubmission) -> DryRun:
        """What `submit` would store and launch; nothing is made."""
        source = self._read(submission)
        job = self._new_job(str(submission.id), submission, source, rerun_of=None)
        return DryRun(job=job, attempt=self.supervisor.specs.spec(job, 1).model_dump(mode="json"))

    async def rerun(self, job_id: str, rerun: Rerun) -> Job:
        """Submit the job's definition again, from its snapshot, with some parameters changed."""
        first = self.get(job_id)
        if (known := self.store.get(str(rerun.id))) is not None:
            return known
        given = {name: getattr(first, name) for name in JobDefinition.model_fields}
        given["parameters"] = first.parameters | (rerun.parameters or {})
        definition = validated(JobSubmission, given | {"id": rerun.id})
        return await self._submit(str(rerun.id), definition, rerun_of=first)

    def _read(self, definition: JobDefinition) -> Source:
        if definition.compute not in self.supervisor.targets:
            known = ", ".join(sorted(self.supervisor.targets))
            raise NotFound(
                f"There is no compute target named {definition.compute!r}.",
                field="compute",
                remedy=f"Use one of: {known}.",
            )
        wanted = Resources(cpus=definition.cpus, memory=definition.memory, gpus=definition.gpus)
        self.supervisor.targets[definition.compute].check(wanted, definition.timeout)
        return read_source(definition.path, definition.root)

    async def _submit(self, job_id: str, definition: JobDefinition, rerun_of: Job | None) -> Job:
        snapshot = None if rerun_of is None else self.folder.snapshot(rerun_of.id)
        if rerun_of is not None and snapshot is not None and snapshot.is_dir():
            source = self._read(definition.model_copy(update={"root": str(snapshot)}))
        else:
            source = self._read(definition)
        job = self._new_job(job_id, definition, source, rerun_of)
        making = self.folder.jobs / f".{job_id}.{uuid4().hex[:8]}"
        try:
            await asyncio.to_thread(
                take_snapshot,
                source,
                making / "snapshot",
                self.config.snapshot_bytes,
                self.config.snapshot_files,
            )
            step("submit.snapshot")
            # a folder without a row is what a killed submission left: this one replaces it
            if (target := self.folder.job(job_id)).exists():
                await asyncio.to_thread(shutil.rmtree, target)
            making.rename(target)
        except BaseException as error:
            await asyncio.to_thread(shutil.rmtree, making, ignore_errors=True)
            if isinstance(error, OSError):
                raise Conflict(
                    f"The snapshot cannot be kept in {self.folder.jobs}: {error.strerror}.",
                    remedy="Free some disk, for example with: perijove prune --older-than 30d.",
                ) from None
            raise
        if not self.store.add(job):
            stored = self.store.get(job_id)
            assert stored is not None
            return stored
        step("submit.stored")
        self._tell(job)
        self._tasks.spawn(self._note_commit(job.id, source.file))
        self.supervisor.wake()
        self.recorder.wake()
        return self.store.get(job_id) or job

    def _new_job(
        self, job_id: str, definition: JobDefinition, source: Source, rerun_of: Job | None
    ) -> Job:
        notebook = source.kind is JobKind.NOTEBOOK
        environment = definition.environment
        if environment is not None:
            environment = self.environments.resolve(environment, kernel=notebook)
        elif notebook:
            environment = self._own_kernel(source)
        waiting = None
        if environment is not None:
            waiting = self.environments.waiting(environment)
        return Job(
            id=job_id,
            kind=source.kind,
            name=definition.name or clean_name(Path(definition.path).stem),
            state=JobState.QUEUED,
            message=waiting,
            run_id=uuid4().hex if self.tracker.assigns_run_ids else None,
            experiment=definition.experiment or source.experiment,
            compute=definition.compute,
            environment=environment,
            parameters=definition.parameters,
            tags=definition.tags,
            path=definition.path,
            root=definition.root,
            timeout=definition.timeout,
            retries=definition.retries,
            cpus=definition.cpus,
            memory=definition.memory,
            gpus=definition.gpus,
            priority=definition.priority,
            progress=Progress(done=0, total=source.code_cells),
            created_at=datetime.now(UTC),
            rerun_of=None if rerun_of is None else rerun_of.id,
        )

    def _own_kernel(self, source: Source) -> str:
        """The environment that a notebook asks for itself.

        Raises
        ------
        InvalidInput: it names none.
        NotFound: it names one that is not here.
        """
        known = self.environments.names()
        remedy = (
            f"Choose one with --environment, for example python3; there are: {', '.join(known)}."
        )
        if (name := source.kernelspec) is None:
            raise InvalidInput(
                f"{source.path} names no kernel.", field="environment", remedy=remedy
            )
        try:
            return self.environments.resolve(name)
        except NotFound:
            language = source.language or "Python"
            if language.lower() not in ("python", "ipython"):
                remedy = f"It is written in {language[:40]}: install a kernel for that."
            raise NotFound(
                f"{source.path} asks for the kernel {name[:80]!r}, and there is none of that name "
                "on this machine.",
                field="environment",
                remedy=remedy,
            ) from None

    async def _note_commit(self, job_id: str, file: Path) -> None:
        commit = await commit_of(file)
        if commit is not None:
            self.store.update(job_id, git_commit=commit)
            self.broker.changed()

    def _tell(self, job: Job) -> None:
        with suppress(OSError):  # the supervisor notes it again
            self.logs.note_state(job)
        self.broker.changed()

    def get(self, job_id: str) -> Job:
        """The job with this id, or with an id that starts so (four characters or more).

        Raises
        ------
        NotFound: no job, or several.
        """
        job = self.store.get(job_id)
        if job is None and len(job_id) >= 4:
            found = self.store.find(job_id)
            if len(found) > 1:
                raise NotFound(
                    f"Several jobs have ids that start with {job_id[:40]!r}.", field="id"
                )
            job = found[0] if found else None
        if job is None or job.deleted:
            raise NotFound(
                f"There is no job {job_id[:40]!r}.", field="id", remedy="See: perijove job list."
            )
        return job

    async def wait(self, job_id: str, timeout: float, until: str) -> Job:
        """The job once it is terminal (or also recorded in MLflow), or as it is at the timeout."""
        job_id = self.get(job_id).id
        deadline = time.monotonic() + timeout
        with self.broker.subscribe() as changed:
            while True:
                changed.clear()
                job = self.store.get(job_id)
                if job is None:
                    raise NotFound(f"There is no job {job_id!r}.", field="id")
                left = deadline - time.monotonic()
                reached = job.recorded if until == "recorded" else job.state.terminal
                if reached or job.deleted or left <= 0 or self.broker.closed:
                    return job
                try:
                    await asyncio.wait_for(changed.wait(), left)
                except TimeoutError:
                    continue

    async def cancel(self, job_id: str) -> Job:
        """Wish the job canceled; what ended already is returned as it is."""
        job = self.get(job_id)
        if job.state.terminal:
            return job
        wished = self.store.update(
            job.id, expect=[s for s in JobState if not s.terminal], cancel_requested=True
        )
        step("cancel.requested")
        self.broker.changed()
        if wished is not None:
            self.supervisor.cancel(wished)
        return self.store.get(job.id) or job

    async def delete(self, job_id: str) -> PruneReport:
        """Delete a job and its files; its MLflow run stays.

        Raises
        ------
        Conflict: it is still active.
        """
        job = self.get(job_id)
        if not job.state.terminal:
            raise Conflict(
                f"Job {job.id} is {job.state.value}.",
                field="id",
                remedy=f"Cancel it first: perijove job cancel {job.id}.",
            )
        return await self._remove([job])

    async def prune(self, older_than: float, dry_run: bool = False) -> PruneReport:
        """Delete jobs that ended more than `older_than` seconds ago and are recorded."""
        moment = datetime.now(UTC) - timedelta(seconds=older_than)
        ended = [job for job in self.store.ended_before(moment) if job.recorded]
        return await self._remove(ended, dry_run)

    async def _remove(self, jobs: Collection[Job], dry_run: bool = False) -> PruneReport:
        freed, runs = 0, []
        for job in jobs:
            folder = self.folder.job(job.id)
            freed += await asyncio.to_thread(_size, folder)
            runs += [job.run_id] if job.run_id else []
            if not dry_run:
                if not job.recorded:
                    await self.recorder.flush(job.id, timeout=10)
                self.store.update(job.id, deleted=True)
                self.logs.forget(job.id)
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
                self.broker.changed()
        said = "would be freed" if dry_run else "freed"
        return PruneReport(
            deleted=[job.id for job in jobs],
            freed_bytes=freed,
            kept_runs=runs,
            message=f"{len(jobs)} job{'s' * (len(jobs) != 1)}, {freed / 1e6:.1f} MB {said}. MLflow "
            f"keeps {len(runs)} run{'s' * (len(runs) != 1)}, with parameters, metrics and files.",
            dry_run=dry_run,
        )


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if not path.is_dir() else 0
        except OSError:
            continue
    return total
