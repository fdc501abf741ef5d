"""Nodes that are Slurm jobs. dask-jobqueue makes their scripts.

The names of a cluster's jobs begin with a prefix of its own. Slurm is asked for all of them at
once and again, and what has such a name and is no node is canceled: a submission that seemed to
fail and was accepted, a node that could not be canceled when it left. The jobs that a killed
cluster process leaves are spared once they run: they end by themselves with their last attempt.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shlex
import sys
import time
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from dask_jobqueue.slurm import SLURMJob

from perijove.compute import slurm
from perijove.compute.cluster.launchers.base import Launcher, ManagedNode
from perijove.compute.cluster.node import GPUS
from perijove.compute.cluster.protocol import NODES, SLURM, TLS
from perijove.compute.cluster.tls import CERTIFICATE, KEY
from perijove.errors import PerijoveError
from perijove.models.compute import ClusterDefinition
from perijove.writing import replace_file

log = logging.getLogger("perijove.cluster")

SOON, LATER = 1.0, 10.0
"""Seconds between two looks at Slurm's queue, while something is awaited there and else."""
MISSING = 10.0
"""Seconds after which a job that Slurm does not list is given up."""
END = 15.0
"""Seconds Slurm has to end all nodes; then it is the hub's turn to ask."""
LAST_WORDS = 10_000
"""Bytes of a node's own log that are kept in the cluster's."""
DEATH_TIMEOUT = 60
"""Seconds until a worker that does not find its scheduler ends."""


class SlurmNode(ManagedNode):
    """A node that is a Slurm job."""

    launcher: SlurmLauncher

    def __init__(self, scheduler: str, name: str, launcher: SlurmLauncher) -> None:
        super().__init__(scheduler, name, launcher)
        self.job_name = f"{launcher.prefix}{token_hex(4)}"
        self.log = launcher.folder / NODES / f"{self.job_name}.log"
        self.submitting: asyncio.Task[None] | None = None
        self.job: slurm.SlurmJob | None = None
        self._refused: str | None = None
        self._seen = 0.0

    async def start(self) -> None:
        await super().start()
        self.log.parent.mkdir(exist_ok=True)
        self._seen = time.monotonic()
        self.launcher.add(self)
        self.submitting = asyncio.create_task(self._submit())

    async def close(self) -> None:
        self.launcher.release(self)
        self._keep_log()
        await super().close()

    def ended(self) -> str | None:
        if self._refused is not None:
            return self._refused
        if self.job is not None and self.job.over:
            where = f" on {self.job.node}" if self.job.node else ""
            return f"Slurm ended its job {self.job.id}{where}: {self.job.state} ({self.job.reason})"
        if time.monotonic() - self._seen > MISSING:
            return "Slurm does not have its job"
        return None

    def waits(self) -> str | None:
        if self.job is None:
            return "Slurm has not answered yet"
        if not self.job.waits:
            return None
        return f"Slurm's job {self.job.id} is {self.job.state.lower()}: {self.job.reason}"

    def remaining(self) -> float | None:
        if self.job is None or self.job.left is None or self.job.waits:
            return None
        return self.job.left - (time.monotonic() - self._seen)

    def heard(self, job: slurm.SlurmJob | None) -> None:
        """What Slurm lists for it, or that it lists nothing."""
        if self.submitting is not None and not self.submitting.done():
            self._seen = time.monotonic()  # it cannot be missed yet
        if job is not None:
            self.job, self._seen, self._refused = job, time.monotonic(), None

    async def _submit(self) -> None:
        try:
            number = await slurm.submit(self.script(), self.job_name)
            log.info("Node %s is Slurm's job %s, %s", self.id, number, self.job_name)
        except PerijoveError as error:
            self._refused = error.message
        self._seen = time.monotonic()
        self.launcher.look()

    def script(self) -> str:
        """The job's script."""
        asked = self.launcher.definition
        certificate, key = (self.launcher.folder / TLS / name for name in (CERTIFICATE, KEY))
        job = SLURMJob(
            self.scheduler,
            name=self.id,
            cores=asked.cpus,
            processes=1,
            memory=str(asked.memory or 0),
            job_mem="0",
            nanny=False,
            python=shlex.quote(sys.executable),
            worker_command="perijove.compute.cluster.host",
            death_timeout=DEATH_TIMEOUT,
            worker_extra_args=[
                *("--tls-ca-file", shlex.quote(str(certificate))),
                *("--tls-cert", shlex.quote(str(certificate))),
                *("--tls-key", shlex.quote(str(key))),
            ],
            # what was checked when the cluster was created is what is asked for
            job_directives_skip=["#SBATCH"],
            job_extra_directives=[
                *slurm.request(asked, asked.node),
                f"--output={shlex.quote(str(self.log).replace('%', '%%'))}",
                "--open-mode=append",
            ],
            job_script_prologue=[f"export {GPUS}={asked.gpus}"] if asked.gpus else None,
        )
        return str(job.job_script())

    def _keep_log(self) -> None:
        with suppress(OSError):
            words = self.log.read_bytes()[-LAST_WORDS:].decode(errors="replace")
            self.log.unlink()
            log.info("Node %s had said:\n%s", self.id, words.strip())


class SlurmLauncher(Launcher):
    """See `Launcher`, and the module."""

    node = SlurmNode

    def __init__(self, folder: Path, definition: ClusterDefinition) -> None:
        super().__init__(folder, definition)
        self.prefix = ""
        self._nodes: dict[str, SlurmNode] = {}
        self._spared: set[str] | None = None
        self._leaving: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._message: str | None = None

    @property
    def message(self) -> str | None:
        return self._message

    async def open(self) -> str:
        path = self.folder / SLURM
        try:
            known = json.loads(path.read_text())
        except (OSError, ValueError):
            known = {"prefix": f"perijove-{self.definition.name}-{token_hex(4)}-"}
        try:
            known["address"] = await slurm.listen_address(self.definition)
        except PerijoveError as error:
            if "address" not in known:
                sys.exit(str(error))
            log.warning("%s The scheduler listens where it did before.", error)
        replace_file(path, json.dumps(known))
        self.prefix = str(known["prefix"])
        self.far = known["address"] != slurm.LOOPBACK
        self._looking = asyncio.create_task(self._look())
        return str(known["address"])

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        submissions = [task for task in self._leaving if not task.done()]
        if submissions:
            _, late = await asyncio.wait(submissions, timeout=5)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        try:
            await slurm.end(self.prefix, END)
        except PerijoveError as error:
            log.warning("%s", error)

    def add(self, node: SlurmNode) -> None:
        """A node is about to be submitted."""
        self._nodes[node.job_name] = node

    def release(self, node: SlurmNode) -> None:
        """Its job is not wanted any more."""
        if self._nodes.pop(node.job_name, None) is not None and node.submitting is not None:
            self._leaving = [task for task in self._leaving if not task.done()]
            self._leaving.append(node.submitting)
        self.look()

    def look(self) -> None:
        """Look at the queue soon."""
        self._wake.set()

    async def _look(self) -> None:
        while True:
            self._wake.clear()
            busy = True
            try:
                busy = await self._look_once()
                self._message = None
            except PerijoveError as error:
                log.warning("%s", error)
                self._message = error.message
            with suppress(TimeoutError):
                async with asyncio.timeout(SOON if busy else LATER):
                    await self._wake.wait()
            await asyncio.sleep(0.2)

    async def _look_once(self) -> bool:
        """Hear what Slurm has; is something awaited there?"""
        before = set(self._nodes)
        listed = {job.name: job for job in await slurm.jobs(self.prefix)}
        if self._spared is None:
            self._spared = {job.name for job in listed.values() if not (job.waits or job.over)}
        for name in before & self._nodes.keys():
            self._nodes[name].heard(listed.get(name))
        unwanted = [
            job.name
            for job in listed.values()
            if not job.over and job.name not in self._nodes and job.name not in self._spared
        ]
        await slurm.cancel(*unwanted)
        return bool(unwanted) or any(n.job is None or n.waits() for n in self._nodes.values())
