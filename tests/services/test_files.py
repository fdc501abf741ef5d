"""The files of a job."""

from __future__ import annotations

import json
import os
from pathlib import Path

from perijove.models.jobs import Job, JobKind
from perijove.models.workspaces import WorkspaceFolder
from perijove.services.files import find_file, list_files, outputs_folder


def test_a_name_that_is_no_text_is_written_with_its_bytes(tmp_path: Path) -> None:
    folder = WorkspaceFolder(tmp_path, "default")
    job = Job.model_construct(id="0" * 32, attempt=1, kind=JobKind.NOTEBOOK, path="n.ipynb")
    outputs = outputs_folder(folder, job, 1)
    outputs.mkdir(parents=True)
    Path(os.fsdecode(os.fsencode(outputs) + b"/b\xff\xe4\n.txt")).write_text("x")
    (outputs / "link").symlink_to("/etc/passwd")
    (found,) = list_files(folder, job)
    assert json.loads(found.model_dump_json())["path"] == "outputs/b~FF~E4~0A.txt"
    assert find_file(folder, job, found.path).read_text() == "x"
