"""Builds an environment: ``python -m perijove.runner.build FOLDER``.

What is to be built stands in the folder's ``content.json``; `perijove.models.environments` says
what else there is. A build that was killed leaves no ``done.json``: it is begun again.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import yaml
from pydantic import BaseModel

from perijove.errors import EnvironmentFailed, MissingExtra
from perijove.models.definitions import load_yaml
from perijove.models.environments import (
    BUILD_LOCK,
    BUILD_LOG,
    BUILD_PROCESS,
    CONTENT,
    DONE,
    FAILED,
    VENV,
    WHEELS,
    BuildFailure,
    BuildResult,
    EnvironmentContent,
    SourceKind,
    read_conda,
)
from perijove.models.processes import current_process

KERNEL = "ipykernel>=6"
"""All that every environment has besides what is asked for."""
CONDA = ("micromamba", "mamba", "conda")
FILES = {
    SourceKind.REQUIREMENTS: "requirements.txt",
    SourceKind.PYPROJECT: "pyproject.toml",
    SourceKind.CONDA: "environment.yaml",
}
MESSAGE = 1500
"""Characters kept of what a command that failed has said."""
_PROGRESS = r"Using|Resolved|Updating|Updated|Downloading|Downloaded|Building|Built|Prepared"
_NOISE = re.compile(rf"^ *(?:{_PROGRESS}) [^\n]*\n|^warning: .*?(?=^\S)", re.DOTALL | re.MULTILINE)
_RULES = re.compile(r"[×╰─▶│├╯╭]+")


def build(folder: Path) -> None:
    """Build what is asked for in `folder`, unless that is done."""
    with (folder / BUILD_LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / DONE).exists():
            return
        _write(folder / BUILD_PROCESS, current_process())
        (folder / FAILED).unlink(missing_ok=True)
        content = EnvironmentContent.model_validate_json((folder / CONTENT).read_text())
        try:
            with (folder / BUILD_LOG).open("wb", buffering=0) as log:
                result = _build(content, folder, log)
        except (EnvironmentFailed, OSError) as error:
            for name in (VENV, WHEELS):
                shutil.rmtree(folder / name, ignore_errors=True)
            _write(folder / FAILED, BuildFailure(message=str(error)))
        else:
            _write(folder / DONE, result)


def _build(content: EnvironmentContent, folder: Path, log: BinaryIO) -> BuildResult:
    venv, file = folder / VENV, folder / FILES[content.source]
    python = venv / "bin" / "python"
    shutil.rmtree(venv, ignore_errors=True)
    file.write_text(content.text)
    packages, warning = ["--requirements", file.name], None
    if content.source is SourceKind.CONDA:
        listed = read_conda(content.text)
        (folder / "pip.txt").write_text("\n".join(listed.pip) + "\n")
        packages = ["--requirements", "pip.txt"]
        program = next(filter(None, map(shutil.which, CONDA)), None)
        names = [name for name in listed.conda if not re.match(r"(python|pip)\b", name)]
        if program is not None:
            (folder / "conda.yaml").write_text(conda_file(content))
            verb = ["create"] if Path(program).name == "micromamba" else ["env", "create"]
            options = ["--yes", "--prefix", str(venv), "--file", "conda.yaml"]
            _run([program, *verb, *options], folder, log)
        elif names:
            warning = f"There is no conda on this machine; left out: {', '.join(names)}."
            log.write(f"Warning: {warning}\n".encode())
    if not python.exists():
        interpreter = _interpreter(content.python)
        try:
            _run([uv(), "venv", "--python", interpreter, str(venv)], folder, log)
        except EnvironmentFailed as error:
            raise EnvironmentFailed(
                f"There is no Python {content.python} here, and uv cannot bring it: {error}"
            ) from None
    install = [uv(), "pip", "install", "--python", str(python), "--compile-bytecode"]
    if carried := sorted((folder / WHEELS).glob("*.whl")):
        names = [f"{WHEELS}/{wheel.name}" for wheel in carried]
        _run([*install, "--no-index", "--no-deps", *names], folder, log)
        shutil.rmtree(folder / WHEELS)
    else:
        _run([*install, *packages, KERNEL], folder, log)
    version = _run([str(python), "-c", "print(__import__('platform').python_version())"], folder)
    size = sum(path.lstat().st_size for path in venv.rglob("*"))
    return BuildResult(python=str(python), version=version.strip(), size=size, warning=warning)


def conda_file(content: EnvironmentContent) -> str:
    """The file without its pip part, and with the Python that is asked for."""
    data = load_yaml(content.text, "conda file")
    listed = read_conda(content.text)
    python = [] if listed.python == content.python else [f"python={content.python}"]
    channels = {"channels": data["channels"]} if "channels" in data else {}
    return yaml.safe_dump(channels | {"dependencies": [*listed.conda, *python]})


def _interpreter(version: str) -> str:
    """How uv is told which Python: this one, if it is of the version."""
    mine = ".".join(map(str, sys.version_info[:3]))
    return sys.executable if f"{mine}.".startswith(f"{version}.") else version


def uv() -> str:
    """uv's program.

    Raises
    ------
    MissingExtra: it is not there.
    """
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        if (found := shutil.which("uv")) is not None:
            return found
    raise MissingExtra("Environments are built with uv, which is not installed: pip install uv.")


def plain_environ() -> dict[str, str]:
    """This process's environment, without what would make uv work on another environment."""
    left_out = {"VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "UV_PROJECT_ENVIRONMENT"}
    return {key: value for key, value in os.environ.items() if key not in left_out}


def said(text: str, places: Mapping[str, str]) -> str:
    """What a command that failed has said, on one line; `places` are paths to replace."""
    found = _NOISE.sub("", text).strip() or text.strip()
    for place, name in places.items():
        found = found.replace(place, name)
    found = " ".join(_RULES.sub(" ", found).split())
    found = found.removeprefix("error: ")
    return found if len(found) <= MESSAGE else f"{found[:MESSAGE]} …"


def _run(command: Sequence[str], folder: Path, log: BinaryIO | None = None) -> str:
    """Run a command in the folder; what it says goes to the log.

    Raises
    ------
    EnvironmentFailed: its exit code is not 0; the message is what it has said.
    """
    if log is not None:
        log.write(f"$ {' '.join(command)}\n".encode())
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=plain_environ() | {"UV_NO_PROGRESS": "1", "NO_COLOR": "1"},
    ) as process:
        assert process.stdout is not None
        heard = b""
        try:
            while piece := os.read(process.stdout.fileno(), 1 << 16):
                heard += piece
                if log is not None:
                    log.write(piece)
        except OSError:  # the disk is full: it shall not go on to write beside what clears up
            process.kill()
            raise
    text = heard.decode("utf-8", "replace")
    if code := process.returncode:
        raise EnvironmentFailed(
            said(text, {f"{folder}/": ""}) or f"{command[0]} ended with exit code {code}."
        )
    return text


def _write(path: Path, model: BaseModel) -> None:
    partial = path.with_name(f".{path.name}")
    with partial.open("w") as file:
        file.write(model.model_dump_json())
        file.flush()
        with suppress(OSError):
            os.fsync(file.fileno())
    partial.replace(path)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
