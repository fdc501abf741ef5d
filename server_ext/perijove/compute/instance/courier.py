"""Carries one attempt on a machine that does not share the hub's disk: fetches what it needs,
and copies to the hub what its runner writes.

Whatever the hub has not acknowledged stays in the attempt's folder, so a cut line, a killed agent
and a machine that was rebooted lose nothing: the next agent goes on where the hub's copy ends.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import sys
import tarfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from perijove.compute.instance.gate import Gate, GateError, Refused, Rejected
from perijove.compute.waiting import wait_for_exit
from perijove.errors import EnvironmentFailed
from perijove.models.agents import ENVIRONMENT, AttemptOrder, Ending
from perijove.models.attempts import (
    HEARTBEAT_FILE,
    LOG,
    OUTPUT,
    RESERVE,
    RUNNER,
    SPEC,
    SPOOL,
    STATUS,
    AttemptSpec,
    AttemptStatus,
    RunnerProcess,
)
from perijove.models.environments import BASE_KERNEL, BuildResult, EnvironmentContent
from perijove.models.jobs import FailureReason, JobState
from perijove.models.logged import ARTIFACTS_VARIABLE, LOGGED, SENT, LoggedSpool
from perijove.models.processes import end_attempt, is_alive, link_verdict
from perijove.writing import replace_file

log = logging.getLogger(__name__)

PIECE = 1 << 20
LOOK = 1.0
"""Seconds between two looks at a spool nobody poked about."""
BACK_OFF = (0.2, 5.0)
ORDER, ARCHIVE, JUPYTER = "order.json", "package.tar", "jupyter"
FAR = 1e9

Start = Callable[[str], Awaitable[None]]
Build = Callable[[EnvironmentContent], Awaitable[BuildResult]]


class Courier:
    """One attempt; `folder` is its folder on this machine. `carrier`: the process without which
    nobody would carry it any more."""

    def __init__(
        self,
        order: AttemptOrder,
        folder: Path,
        gate: Callable[[], Gate],
        tracking_uri: str | None,
        build: Build,
        carrier: RunnerProcess | None = None,
    ) -> None:
        self._build = build
        self._carrier = carrier
        self.order = order
        self.folder = folder
        self._gate = gate
        self._tracking_uri = tracking_uri
        self._offset = 0
        self._introduced = False
        self._over = False
        self._unwritten: AttemptStatus | None = None
        self.poked = asyncio.Event()

    @property
    def environment(self) -> str | None:
        """The digest of what it runs in, if that is built here."""
        with suppress(OSError, ValueError):
            text = (self.folder / ENVIRONMENT).read_text()
            return EnvironmentContent.model_validate_json(text).digest
        return None

    async def run(self, start: Start, poke: str) -> None:
        """From the order to the last word. `start` starts a runner for a folder; it returns when
        the runner has ended. `poke` is the socket that runners poke."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / ORDER).write_text(self.order.model_dump_json())
            if not (self.folder / SPEC).exists():
                await self._until_answered(lambda: self._fetch(poke))
        except Refused:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        except (Rejected, EnvironmentFailed) as error:
            self._fail(error, str(error))
        except (OSError, tarfile.TarError) as error:
            self._fail(error, f"What the job needs cannot be put on the machine: {error}")
        if self._status() is None:
            following = asyncio.create_task(self._follow())
            try:
                if self._runner() is None:
                    await start(str(self.folder))
                await self._wait_for_runner()
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
        await asyncio.to_thread(self._clean_up)
        with suppress(Refused, Rejected):
            await self._until_answered(self._deliver)
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    def end(self, at_once: bool) -> None:
        """Ask the runner to end; with `at_once` nothing more is wanted of it."""
        self._over = self._over or at_once
        runner = self._runner()
        if runner is None or at_once:
            self._verdict(JobState.CANCELED, None, None)
        if runner is not None and is_alive(runner):
            with suppress(ProcessLookupError):
                os.kill(runner.pid, 9 if at_once else 15)
        self.poked.set()

    async def fetch_wheels(self, file: Path) -> None:
        """Fetch what its environment consists of. Raises GateError."""
        try:
            await self._gate().wheels_for(self.order.key, self.order.token, file)
        except Refused as error:  # other attempts may wait for the same environment
            raise GateError(str(error)) from error

    # the way there

    async def _fetch(self, poke: str) -> None:
        archive = self.folder / ARCHIVE
        await self._gate().package(self.order.key, self.order.token, archive)
        await asyncio.to_thread(self._unpack, archive)
        python = None
        if (self.folder / ENVIRONMENT).exists():
            text = (self.folder / ENVIRONMENT).read_text()
            python = (await self._build(EnvironmentContent.model_validate_json(text))).python
        self._settle(poke, python)

    def _unpack(self, archive: Path) -> None:
        with tarfile.open(archive) as tar:
            tar.extractall(self.folder, filter="data")
        archive.unlink()
        (self.folder / "received.json").rename(self.folder / f".{SPEC}")

    def _settle(self, poke: str, python: str | None) -> None:
        """Write the spec as it reads on this machine."""
        spec = AttemptSpec.model_validate_json((self.folder / f".{SPEC}").read_text())
        moved = relocate(spec, self.folder).model_copy(update={"python": python})
        _write_kernelspec(self.folder / JUPYTER, BASE_KERNEL, sys.executable)
        if python is not None and spec.environment is not None:
            _write_kernelspec(self.folder / JUPYTER, spec.environment, python)
        environ = moved.environ | {"JUPYTER_PATH": str(self.folder / JUPYTER)}
        if self._tracking_uri is not None:
            environ["MLFLOW_TRACKING_URI"] = self._tracking_uri
        changes = {"poke": poke, "environ": environ, "carrier": self._carrier}
        moved = moved.model_copy(update=changes)
        Path(moved.outputs).mkdir(parents=True, exist_ok=True)
        replace_file(self.folder / SPEC, moved.model_dump_json())
        (self.folder / f".{SPEC}").unlink()

    def _fail(self, error: Exception, message: str) -> None:
        self._verdict(JobState.FAILED, FailureReason.unplaced(error), message)

    # the way back

    async def _follow(self) -> None:
        """Copy the spool as it grows."""
        delay = BACK_OFF[0]
        while True:
            self.poked.clear()
            try:
                await self._copy_spool()
                delay = BACK_OFF[0]
            except Refused:
                self.end(at_once=True)
                return
            except GateError:
                await asyncio.sleep(delay)
                delay = min(BACK_OFF[1], 2 * delay)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self.poked.wait()

    async def _copy_spool(self) -> None:
        """Copy until nothing is left; the hub says where its copy ends."""
        while True:
            if not self._introduced and (self.folder / RUNNER).exists():
                await self._put(RUNNER, self.folder / RUNNER)
                self._introduced = True
            data = b""
            with suppress(FileNotFoundError), (self.folder / SPOOL).open("rb") as file:
                file.seek(self._offset)
                data = file.read(PIECE)
                if data and b"\n" not in data:
                    data += file.readline()
            data = data[: data.rfind(b"\n") + 1]
            receipt = await self._gate().spool(
                self.order.key, self.order.token, self._offset, data, self._beat()
            )
            done = not data and receipt.offset == self._offset
            self._offset = receipt.offset
            if receipt.over and not self._over:
                self.end(at_once=True)
            if done:
                return

    def _beat(self) -> float:
        try:
            return max(0.0, time.time() - (self.folder / HEARTBEAT_FILE).stat().st_mtime)
        except OSError:
            return FAR

    async def _deliver(self) -> None:
        """Copy everything that is not there yet, the verdict last."""
        status = self._status()
        assert status is not None
        if not self._over:
            await self._copy_spool()
            for path, file in self._files():
                try:
                    await self._put(path, file)
                except Rejected as error:
                    log.warning("The hub does not take %s of %s: %s", path, self.order.key, error)
        await self._gate().ended(self.order.key, self.order.token, Ending(status=status))

    def _files(self) -> list[tuple[str, Path]]:
        names = [RUNNER, OUTPUT, LOG]
        if LoggedSpool(self.folder / LOGGED).pending():
            names += [SENT, LOGGED]  # the hub sends the rest
        found = [(name, self.folder / name) for name in names]
        with suppress(OSError, ValueError):
            spec = AttemptSpec.model_validate_json((self.folder / SPEC).read_text())
            outputs = Path(spec.outputs)
            for at, _, names in os.walk(outputs):
                for name in names:
                    file = Path(at) / name
                    found.append((f"outputs/{file.relative_to(outputs).as_posix()}", file))
        return [(path, file) for path, file in found if file.is_file() and not file.is_symlink()]

    async def _put(self, path: str, file: Path) -> None:
        await self._gate().put(self.order.key, self.order.token, path, file)

    async def _until_answered(self, work: Callable[[], Awaitable[None]]) -> None:
        """Try until the hub answers.

        Raises
        ------
        Refused: it does not know the attempt. Rejected: it says why not.
        """
        delay = BACK_OFF[0]
        while True:
            try:
                await work()
                return
            except (Refused, Rejected):
                raise
            except GateError as error:
                log.info("Attempt %s waits for the hub: %s", self.order.key, error)
                await asyncio.sleep(delay)
                delay = min(BACK_OFF[1], 2 * delay)

    # the runner

    def _runner(self) -> RunnerProcess | None:
        try:
            return RunnerProcess.model_validate_json((self.folder / RUNNER).read_text())
        except (OSError, ValueError):
            return None

    async def _wait_for_runner(self) -> None:
        while (runner := self._runner()) is not None and is_alive(runner):
            await wait_for_exit(runner.pid)

    def _clean_up(self) -> None:
        if self._status() is None:
            self._verdict(
                JobState.FAILED,
                FailureReason.LOST,
                "The runner ended without a verdict: it was killed, or the machine went down.",
            )
        if self._over or self._runner() is not None:
            end_attempt(self.order.job_id, self.order.attempt, self._runner())

    def _verdict(self, state: JobState, reason: FailureReason | None, message: str | None) -> None:
        status = AttemptStatus(
            state=state, reason=reason, message=message, ended_at=datetime.now(UTC), pid=os.getpid()
        )
        try:
            (self.folder / RESERVE).unlink(missing_ok=True)
            link_verdict(self.folder, status)
        except OSError as error:  # a full disk: the hub is told all the same
            log.warning("The verdict on %s cannot be written: %s", self.order.key, error)
            self._unwritten = self._unwritten or status

    def _status(self) -> AttemptStatus | None:
        with suppress(OSError, ValueError):
            return AttemptStatus.model_validate_json((self.folder / STATUS).read_text())
        return self._unwritten


def _write_kernelspec(jupyter: Path, name: str, python: str) -> None:
    folder = jupyter / "kernels" / name
    folder.mkdir(parents=True, exist_ok=True)
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": name, "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))


def relocate(spec: AttemptSpec, folder: Path) -> AttemptSpec:
    """The same attempt in another folder: ``snapshot/`` and ``work/`` lie in it."""
    old = PurePosixPath(spec.folder)

    def moved(path: str) -> str:
        return str(folder / PurePosixPath(path).relative_to(old))

    source = folder / "snapshot" / PurePosixPath(spec.source).relative_to(spec.snapshot)
    environ = spec.environ | {"PERIJOVE_OUTPUTS": moved(spec.outputs)}
    for here in ("PERIJOVE_HOME", ARTIFACTS_VARIABLE):
        environ.pop(here, None)
    return spec.model_copy(
        update={
            "folder": str(folder),
            "source": str(source),
            "snapshot": str(folder / "snapshot"),
            "workdir": moved(spec.workdir),
            "outputs": moved(spec.outputs),
            "environ": environ,
        }
    )
