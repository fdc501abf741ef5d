"""What attempts on other machines fetch from the hub, and what they bring back.

It lands in the attempt's folder, where everything else looks for it.
"""

from __future__ import annotations

import os
import re
import tarfile
import tempfile
import time
from collections.abc import AsyncIterable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from perijove.abc import AgentTarget, JobStore
from perijove.errors import Conflict, Gone, InvalidInput, NotFound
from perijove.models.agents import ENVIRONMENT, Ending, SpoolReceipt
from perijove.models.attempts import (
    HEARTBEAT_FILE,
    LOG,
    OUTPUT,
    OUTPUTS,
    RUNNER,
    SPEC,
    SPOOL,
    STATUS,
    AttemptSpec,
)
from perijove.models.environments import CONTENT
from perijove.models.jobs import Job, JobKind
from perijove.models.logged import LOGGED, SENT
from perijove.models.processes import link_verdict
from perijove.models.workspaces import WorkspaceConfig, WorkspaceFolder
from perijove.services.snapshots import beside
from perijove.services.supervisor import Supervisor

PLAIN = (RUNNER, OUTPUT, LOG, LOGGED, SENT)
"""Files of an attempt that are brought under their own names."""
IN_MEMORY = 4 << 20
DIGEST = re.compile("[0-9a-f]{16}")
RECENT = 3600.0


@dataclass
class Delivery:
    """The attempt-scoped half of the hub's gate."""

    folder: WorkspaceFolder
    config: WorkspaceConfig
    store: JobStore
    supervisor: Supervisor
    pack: Callable[[Path], Iterator[bytes]]
    """Packs what was built in a folder as a tar archive of wheels; raises Conflict."""

    def agent(self, target: str) -> AgentTarget:
        """The target whose agent calls.

        Raises
        ------
        NotFound: there is none of that name that has an agent.
        """
        found = self.supervisor.targets.get(target)
        if not isinstance(found, AgentTarget):
            raise NotFound(f"There is no instance named {target[:40]!r}.")
        return found

    def package(self, job_id: str, attempt: int) -> tempfile.SpooledTemporaryFile[bytes]:
        """A tar archive: ``received.json`` (the spec), ``snapshot/``, ``work/``, and what the
        environment is built from, if it is a built one.

        Raises
        ------
        Gone: the attempt is over.
        SnapshotTooLarge: what lies beside the notebook passes the limits.
        """
        self._job(job_id, attempt)
        folder = self.folder.attempt(job_id, attempt)
        spec = AttemptSpec.model_validate_json((folder / SPEC).read_text())
        file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, dir=str(folder))
        with tarfile.open(fileobj=file, mode="w", dereference=True) as tar:
            tar.add(folder / SPEC, "received.json")
            tar.add(spec.snapshot, "snapshot")
            if spec.python is not None:
                digest = self.environment_of(job_id, attempt)
                tar.add(self.folder.environments / digest / CONTENT, ENVIRONMENT)
            here = PurePosixPath(spec.workdir).relative_to(spec.folder)
            if spec.kind is JobKind.SCRIPT:
                depth = len(Path(spec.source).relative_to(spec.snapshot).parent.parts)
                tar.add(spec.snapshot, str([here, *here.parents][depth]))
            else:
                snapshot = Path(spec.source).parent
                origin = Path(spec.origin) / Path(spec.source).relative_to(spec.snapshot).parent
                limits = self.config.snapshot_bytes, self.config.snapshot_files
                for found, path in beside(origin, *limits):
                    if not (snapshot / path).exists() and PurePosixPath(path).parts[0] != OUTPUTS:
                        tar.add(found, str(here / path), recursive=False)
                tar.add(snapshot, str(here))
        file.seek(0)
        return file

    def environment(self, digest: str) -> Iterator[bytes]:
        """A tar archive of wheels: all that is in an environment.

        Raises
        ------
        InvalidInput: that is no digest. Conflict: it is not built here, or cannot be copied.
        """
        if not DIGEST.fullmatch(digest):
            raise InvalidInput(f"{digest[:40]!r} is no environment's digest.", field="digest")
        return self.pack(self.folder.environments / digest)

    def environment_of(self, job_id: str, attempt: int) -> str:
        """The digest of what the attempt runs in.

        Raises
        ------
        Gone: the attempt is over. Conflict: what it runs in is not built.
        """
        self._job(job_id, attempt)
        text = (self.folder.attempt(job_id, attempt) / SPEC).read_text()
        python = AttemptSpec.model_validate_json(text).python
        if python is None:
            raise Conflict("The attempt runs in no environment that is built.")
        return Path(python).relative_to(self.folder.environments).parts[0]

    async def spool(
        self, job_id: str, attempt: int, offset: int, data: bytes, beat: float
    ) -> SpoolReceipt:
        """Append to the attempt's spool, if it ends at `offset`; where it ends now.

        `beat` is how many seconds ago the runner gave a sign of life.
        """
        job = self._find(job_id)
        folder = self.folder.attempt(job_id, attempt)
        spool = folder / SPOOL
        size = spool.stat().st_size if spool.exists() else 0
        over = job.attempt != attempt or job.state.terminal or (folder / STATUS).exists()
        if data and offset == size and not over:
            with spool.open("ab") as file:
                file.write(data)
            size += len(data)
        if beat < RECENT and not over:
            _beat(folder / HEARTBEAT_FILE, time.time() - beat)
        if data and not over:
            await self.supervisor.poked(job_id, attempt)
        return SpoolReceipt(offset=size, over=over)

    async def put(self, job_id: str, attempt: int, path: str, pieces: AsyncIterable[bytes]) -> None:
        """Keep a file of the attempt; it is there whole or not at all.

        Raises
        ------
        InvalidInput: attempts bring no such file.
        Gone: the attempt is over.
        """
        self._job(job_id, attempt)
        folder = self.folder.attempt(job_id, attempt)
        target = folder / path if path in PLAIN else self._output(job_id, attempt, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}.{time.monotonic_ns()}")
        try:
            with partial.open("wb") as file:
                async for piece in pieces:
                    file.write(piece)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        if path == RUNNER:
            _beat(folder / HEARTBEAT_FILE, time.time())
            await self.supervisor.poked(job_id, attempt)

    def _output(self, job_id: str, attempt: int, path: str) -> Path:
        parts = PurePosixPath(path).parts
        legal = len(parts) > 1 and parts[0] == OUTPUTS and ".." not in parts and "\0" not in path
        if not legal:
            raise InvalidInput(f"An attempt brings no file {path[:200]!r}.", field="path")
        folder = self.folder.attempt(job_id, attempt)
        spec = AttemptSpec.model_validate_json((folder / SPEC).read_text())
        target = Path(spec.outputs).joinpath(*parts[1:])
        if not target.parent.resolve().is_relative_to(Path(spec.outputs).resolve()):
            raise InvalidInput(f"{path[:200]!r} leads out of the outputs.", field="path")
        return target

    def ended(self, job_id: str, attempt: int, ending: Ending) -> None:
        """Everything is there; the verdict counts, if there is none yet."""
        job = self._find(job_id)
        folder = self.folder.attempt(job_id, attempt)
        if folder.is_dir():
            link_verdict(folder, ending.status)
        target = self.supervisor.targets.get(job.compute)
        if isinstance(target, AgentTarget):
            target.delivered(job_id, attempt)

    def _job(self, job_id: str, attempt: int) -> Job:
        job = self._find(job_id)
        if job.attempt != attempt or job.state.terminal:
            raise Gone(f"Attempt {attempt} of job {job_id} is over.")
        return job

    def _find(self, job_id: str) -> Job:
        job = self.store.get(job_id)
        if job is None or job.deleted:
            raise Gone(f"There is no job {job_id}.")
        return job


def _beat(path: Path, moment: float) -> None:
    with suppress(OSError):
        path.touch()
        os.utime(path, (moment, moment))
