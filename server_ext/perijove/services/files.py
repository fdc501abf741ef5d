"""The files of a job, at the paths they have as MLflow artifacts too."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from perijove.errors import NotFound
from perijove.models.attempts import LOG, OUTPUT, OUTPUTS, WORK
from perijove.models.jobs import Job, JobFile, JobKind
from perijove.models.workspaces import WorkspaceFolder

HTML = "notebook.html"
JOB_LOG = "job.log"
ENVIRONMENT = "environment.json"


def job_files(folder: WorkspaceFolder, job: Job) -> dict[str, Path]:
    """Artifact path → file: ``notebook/ snapshot/ logs/ outputs/``. Links are left out."""
    found: dict[str, Path] = {}
    attempt = folder.attempt(job.id, job.attempt)
    if job.kind is JobKind.NOTEBOOK:
        stem = Path(job.path).stem
        found[f"notebook/{stem}.ipynb"] = attempt / OUTPUT
        found[f"notebook/{stem}.html"] = attempt / HTML
    for name in (JOB_LOG, LOG, ENVIRONMENT):
        found[f"logs/{'runner.log' if name == LOG else name}"] = attempt / name
    found |= dict(_below(folder.snapshot(job.id) / PurePosixPath(job.path).parent, "snapshot"))
    found |= dict(_below(outputs_folder(folder, job, job.attempt), "outputs"))
    return {path: file for path, file in found.items() if file.is_file()}


def outputs_folder(folder: WorkspaceFolder, job: Job, attempt: int) -> Path:
    """The folder whose files are kept as artifacts."""
    return folder.attempt(job.id, attempt) / WORK / PurePosixPath(job.path).parent / OUTPUTS


def list_files(folder: WorkspaceFolder, job: Job) -> list[JobFile]:
    """Sizes in bytes and times of all of a job's files."""
    listed = []
    for path, file in sorted(job_files(folder, job).items()):
        try:
            found = file.stat()
        except OSError:
            continue
        modified = datetime.fromtimestamp(found.st_mtime, UTC)
        listed.append(JobFile(path=path, size=found.st_size, modified_at=modified))
    return listed


def find_file(folder: WorkspaceFolder, job: Job, path: str) -> Path:
    """The file behind an artifact path.

    Raises
    ------
    NotFound: the job has no such file.
    """
    file = job_files(folder, job).get(path)
    if file is None:
        raise NotFound(f"Job {job.id} has no file {path[:200]!r}.", field="path")
    return file


def _below(top: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    for folder, _, names in os.walk(top, followlinks=False):
        for name in names:
            file = Path(folder) / name
            if not file.is_symlink():
                yield _text(f"{prefix}/{file.relative_to(top).as_posix()}"), file


def _text(path: str) -> str:
    """A path with `~FF` for each byte that is no text, and `~0A` for control characters."""
    return re.sub(
        r"[\x00-\x1f\x7f\udc80-\udcff]", lambda found: f"~{ord(found[0]) & 0xFF:02X}", path
    )
