"""Attempts without a hub: their folders, their runners, and what they left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from conftest import write_notebook
from perijove.models.attempts import AttemptSpec, AttemptStatus


def attempt(folder: Path, *cells: str, **fields: Any) -> Path:
    """The folder of an attempt at a notebook of these cells."""
    work = _work(folder)
    source = write_notebook(work / "n.ipynb", *cells)
    return _specified(folder, source, {"kind": "notebook", "environment": "python3"} | fields)


def script_attempt(folder: Path, text: str, **fields: Any) -> Path:
    """The folder of an attempt at a script."""
    source = _work(folder) / "script.py"
    source.write_text(text)
    return _specified(folder, source, {"kind": "script"} | fields)


def _work(folder: Path) -> Path:
    (folder / "work/outputs").mkdir(parents=True)
    return folder / "work"


def _specified(folder: Path, source: Path, fields: dict[str, Any]) -> Path:
    work = source.parent
    spec = AttemptSpec(
        job_id="job", attempt=1, name="n", folder=str(folder), source=str(source),
        snapshot=str(work), origin=str(work), workdir=str(work), outputs=str(work / "outputs"),
        environ={"PERIJOVE_JOB_ID": folder.name, "PERIJOVE_ATTEMPT": "1"}, **fields,
    )  # fmt: skip
    (folder / "spec.json").write_text(spec.model_dump_json())
    return folder


def start(folder: Path) -> subprocess.Popen[bytes]:
    """A runner started the ordinary way."""
    return subprocess.Popen([sys.executable, "-m", "perijove.runner", str(folder)])


def run(folder: Path) -> AttemptStatus:
    """Run the attempt to its end and give its verdict."""
    start(folder).wait(120)
    return status(folder)


def status(folder: Path) -> AttemptStatus:
    return AttemptStatus.model_validate_json((folder / "status.json").read_text())


def events(folder: Path) -> list[dict[str, Any]]:
    """The spool, as far as it goes."""
    if not (folder / "spool.jsonl").exists():
        return []
    return [json.loads(line) for line in (folder / "spool.jsonl").read_text().splitlines()]


def log(folder: Path, stream: str) -> str:
    """What the events say that a script put out."""
    found = [e["data"] for e in events(folder) if e["type"] == "log"]
    return "".join(data["text"] for data in found if data["stream"] == stream)
