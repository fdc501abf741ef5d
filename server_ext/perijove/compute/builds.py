"""Builds environments on the hub's own machine, each in a process that outlives the hub."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from perijove.abc import EnvironmentBuilder
from perijove.compute.ssh.on_host import SIGNS
from perijove.compute.waiting import wait_for_exit
from perijove.errors import EnvironmentFailed, InvalidInput
from perijove.models.attempts import RunnerProcess
from perijove.models.disks import is_full
from perijove.models.environments import (
    BUILD_LOG,
    BUILD_PROCESS,
    CONTENT,
    DONE,
    FAILED,
    WHEELS,
    BuildFailure,
    BuildResult,
    EnvironmentContent,
    SourceKind,
    read_conda,
    read_pyproject,
)
from perijove.models.processes import end_session, is_alive
from perijove.runner.build import FILES, plain_environ, said, uv

DIGEST = re.compile(r"[0-9a-f]{16}(\.[0-9a-f]{8})?")
"""A folder's name; what is being removed has another one already."""
MOST = 2
"""Builds at once: each wants the disk and the network for itself."""
ARCHIVE = "wheels.tar"

Fetch = Callable[[str, Path], Awaitable[None]]
"""Brings the wheels of the environment of a digest into a file: a tar archive."""


class UvBuilder(EnvironmentBuilder):
    """See `EnvironmentBuilder`. Folders are named after digests; there may be others beside."""

    def __init__(self, folder: Path, fetch: Fetch | None = None) -> None:
        """`fetch` is used where no package index can be reached; what it raises, `build` does."""
        self._folder = folder
        self._fetch = fetch
        self._building: dict[str, asyncio.Task[BuildResult]] = {}
        self._results: dict[str, BuildResult] = {}
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._room = asyncio.Semaphore(MOST)
        self._pythons: dict[str, bool] = {}

    def log_file(self, digest: str) -> Path:
        return self._folder / digest / BUILD_LOG

    def digests(self) -> list[str]:
        with suppress(FileNotFoundError):
            return [name for name in os.listdir(self._folder) if DIGEST.fullmatch(name)]
        return []

    def built(self, content: EnvironmentContent) -> BuildResult | None:
        result = self._results.get(content.digest)
        if result is None:
            try:
                text = (self._folder / content.digest / DONE).read_text()
                result = self._results[content.digest] = BuildResult.model_validate_json(text)
            except (OSError, ValueError):
                return None
        return result if os.access(result.python, os.X_OK) else None

    async def check(self, content: EnvironmentContent) -> None:
        if not await self._is_python(content.python):
            raise InvalidInput(
                f"There is no Python {content.python}.",
                field="python",
                remedy="See what there is with: uv python list.",
            )
        name = FILES[SourceKind.REQUIREMENTS]
        with tempfile.TemporaryDirectory(prefix="perijove-") as folder:
            (Path(folder) / name).write_text(_requirements(content))
            # it reads the whole file, asks nobody, and does nothing
            options = ["--dry-run", "--quiet", "--offline", "--python", sys.executable]
            command = ["pip", "uninstall", *options, "--requirements", name]
            code, heard = await _ask(command, folder)
            if code:
                raise InvalidInput(
                    f"uv cannot read it: {said(heard, {f'{os.path.realpath(folder)}/': ''})}",
                    field="text",
                )

    async def build(self, content: EnvironmentContent) -> BuildResult:
        if (result := self.built(content)) is not None:
            return result
        task = self._building.get(content.digest)
        if task is None:
            task = self._building[content.digest] = asyncio.create_task(self._build(content))
            task.add_done_callback(lambda done: self._forget(content.digest, done))
        return await asyncio.shield(task)

    async def remove(self, digest: str) -> int:
        self._results.pop(digest, None)
        folder = self._folder / digest
        going = folder.with_name(f"{digest[:16]}.{uuid4().hex[:8]}")
        # from now on it is not there: one that is asked for meanwhile is built in its place
        with suppress(FileNotFoundError):
            folder.rename(going)
        await self._end(digest, _process(going))
        return await asyncio.to_thread(_free, going)

    async def close(self) -> None:
        for digest in list(self._building):
            await self._end(digest, _process(self._folder / digest))

    def _forget(self, digest: str, task: asyncio.Task[BuildResult]) -> None:
        if self._building.get(digest) is task:
            del self._building[digest]

    async def _build(self, content: EnvironmentContent) -> BuildResult:
        folder = self._folder / content.digest
        async with self._room:
            process = _process(folder)
            if process is None or not is_alive(process):
                if process is not None:
                    # what a build that was killed has left must not write beside the next
                    await asyncio.to_thread(end_session, process)
                await self._run(content, folder)
            else:
                await wait_for_exit(process.pid)
            if self._fetch is not None and self._lacks_index(folder):
                try:
                    await self._fetch(content.digest, folder / ARCHIVE)
                    await asyncio.to_thread(_unpack, folder)
                finally:  # a disk that became full of it must not stay full
                    (folder / ARCHIVE).unlink(missing_ok=True)
                await self._run(content, folder)
        if (result := self.built(content)) is not None:
            return result
        raise EnvironmentFailed(_failure(folder))

    def _lacks_index(self, folder: Path) -> bool:
        said = "" if (folder / DONE).exists() else _failure(folder)
        return any(sign in said for sign in SIGNS["no_index"])

    async def _run(self, content: EnvironmentContent, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (DONE, FAILED):
            (folder / name).unlink(missing_ok=True)
        partial = folder / f".{CONTENT}"
        partial.write_text(content.model_dump_json())
        partial.replace(folder / CONTENT)
        with (folder / BUILD_LOG).open("ab") as output:
            process = self._started[content.digest] = subprocess.Popen(
                [sys.executable, "-m", "perijove.runner.build", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ if self._fetch is None else {"UV_HTTP_RETRIES": "1", **os.environ},
                start_new_session=True,
            )
        try:
            await wait_for_exit(process.pid)
        finally:
            await asyncio.to_thread(process.wait)
            if self._started.get(content.digest) is process:
                del self._started[content.digest]

    async def _end(self, digest: str, process: RunnerProcess | None) -> None:
        task, started = self._building.pop(digest, None), self._started.pop(digest, None)
        if task is not None:
            task.cancel()
        if started is not None:
            with suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
        if process is not None:
            await asyncio.to_thread(end_session, process)
        if task is not None:
            await asyncio.gather(task, return_exceptions=True)

    async def _is_python(self, version: str) -> bool:
        mine = ".".join(map(str, sys.version_info[:3]))
        if f"{mine}.".startswith(f"{version}."):
            return True
        if version not in self._pythons:
            command = ["python", "list", version, "--all-versions", "--output-format", "json"]
            code, heard = await _ask(command, self._folder.parent, errors=False)
            self._pythons[version] = code != 0 or bool(json.loads(heard or "[]"))
        return self._pythons[version]


def _requirements(content: EnvironmentContent) -> str:
    if content.source is SourceKind.REQUIREMENTS:
        return content.text
    read = read_pyproject if content.source is SourceKind.PYPROJECT else _pip_part
    return "\n".join(read(content.text)) + "\n"


def _pip_part(text: str) -> list[str]:
    return read_conda(text).pip


async def _ask(command: Sequence[str], folder: Path | str, errors: bool = True) -> tuple[int, str]:
    """uv's exit code, and what it has said."""
    process = await asyncio.create_subprocess_exec(
        uv(),
        *command,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT if errors else asyncio.subprocess.DEVNULL,
        env=plain_environ() | {"NO_COLOR": "1"},
    )
    heard, _ = await process.communicate()
    return process.returncode or 0, heard.decode("utf-8", "replace")


def _process(folder: Path) -> RunnerProcess | None:
    try:
        return RunnerProcess.model_validate_json((folder / BUILD_PROCESS).read_text())
    except (OSError, ValueError):
        return None


def _failure(folder: Path) -> str:
    try:
        return BuildFailure.model_validate_json((folder / FAILED).read_text()).message
    except (OSError, ValueError):
        if is_full(folder):
            return f"No space left on device: {folder}"
        return "The build was killed before it was complete."


def _unpack(folder: Path) -> None:
    partial = folder / f".{WHEELS}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with tarfile.open(folder / ARCHIVE) as tar:
            tar.extractall(partial, filter="data")
        partial.rename(folder / WHEELS)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _free(folder: Path) -> int:
    freed = sum(path.lstat().st_size for path in folder.rglob("*")) if folder.exists() else 0
    shutil.rmtree(folder, ignore_errors=True)
    return freed
