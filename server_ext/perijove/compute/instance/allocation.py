"""An allocation of Slurm: the agent is a batch job, on a file system that the nodes share."""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import sys
import time
from contextlib import suppress
from pathlib import Path

from pydantic import JsonValue

from perijove.abc import Workshop
from perijove.compute import slurm
from perijove.compute.instance.machine import Machine
from perijove.compute.instance.process import mark
from perijove.compute.logs import end_of
from perijove.errors import PerijoveError, Unreachable
from perijove.models.agents import AGENT_LOG, CONFIG, AgentConfig, GateAddress
from perijove.models.instances import InstanceDefinition
from perijove.writing import replace_file

JOB = "slurm-job"
"""File with the name of the batch job, from before it is submitted until it is ended by us."""
SEEN = "slurm-job-seen"
"""File with the same name, as soon as Slurm has listed the job."""
END = 60.0
LOOK = 60.0
"""Seconds between two looks at an allocation whose agent calls."""


class SlurmMachine(Machine):
    """See the module's docstring."""

    on = "slurm"
    relayed = True
    open_kernels = True

    def __init__(self, definition: InstanceDefinition, workshop: Workshop) -> None:
        self._definition = definition
        self._folder = workshop.folder
        self._gate = workshop.gate
        self._network_gate = workshop.network_gate
        self._prefix = f"perijove-{workshop.name}"
        self._job: slurm.SlurmJob | None = None
        self._looked = 0.0

    async def gate(self) -> tuple[GateAddress, str | None]:
        address = self._network_gate()
        if address is not None:
            return address, None
        here = await slurm.listen_address(self._definition)
        if here == slurm.LOOPBACK:  # the only node is this machine
            return GateAddress(url="http://hub", socket=str(self._gate)), None
        raise Unreachable(
            "Slurm's nodes have no way to the hub.",
            field="on",
            remedy=f"perijove up --listen {here} turns its TLS listener on.",
        )

    async def start_agent(self, config: AgentConfig) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        replace_file(self._folder / CONFIG, config.model_dump_json())
        name = _read(self._folder / JOB)
        if name is None:
            name = f"{self._prefix}-{secrets.token_hex(4)}"
            replace_file(self._folder / JOB, name)
        elif await self._look() is not None or self._forgotten:
            return
        try:
            await slurm.submit(self._script(), name)
        except PerijoveError:
            # it may be there all the same: `stop_agent` cancels it by its name
            await self._look()
            if self._job is None:
                raise
        await self._look()

    def _script(self) -> str:
        log = self._folder / AGENT_LOG
        lines = [*slurm.request(self._definition, self._definition.node)]
        lines += [f"--output={log}", "--open-mode=append", f"--chdir={Path.home()}"]
        command = [sys.executable, "-m", "perijove.compute.instance.agent", str(self._folder)]
        return "\n".join(
            [
                "#!/bin/sh",
                *(f"#SBATCH {line}" for line in lines),
                f"export {shlex.quote(mark(self._folder))}",
                *(
                    f"export {key}={shlex.quote(os.environ[key])}"
                    for key in KEPT
                    if key in os.environ
                ),
                f"exec {shlex.join(command)}",
            ]
        )

    async def alive(self) -> bool:
        # an allocation that has ended is not asked for again unless somebody wants that
        with suppress(PerijoveError):
            await self._look()
        return True

    async def renew(self) -> None:
        await self._look()
        if self.ended or self._forgotten:
            (self._folder / JOB).unlink(missing_ok=True)

    async def look(self) -> None:
        known = self._job
        if known is None or known.waits or time.monotonic() - self._looked > LOOK:
            with suppress(PerijoveError):
                await self._look()

    @property
    def ended(self) -> bool:
        return self._job is not None and self._job.over

    @property
    def _forgotten(self) -> bool:
        """Slurm lists it no more. Minutes after its end that is so."""
        name = _read(self._folder / JOB)
        return self._job is None and name is not None and name == _read(self._folder / SEEN)

    @property
    def waiting(self) -> str | None:
        if self._job is None:
            return None
        if self._job.waits:
            why = "" if self._job.reason in ("", "None") else f": {self._job.reason}"
            return f"It waits in Slurm's queue{why}."
        return None

    @property
    def trouble(self) -> str | None:
        if self._job is not None and self.ended:
            return f"Its Slurm job has ended: {self._job.state}. Start it again for a new one."
        if self._forgotten:
            return "Slurm knows its job no more. Start it again for a new one."
        return None

    async def _look(self) -> slurm.SlurmJob | None:
        name = _read(self._folder / JOB)
        self._looked = time.monotonic()
        found = await slurm.jobs(name) if name is not None else []
        before, self._job = self._job, found[-1] if found else None
        if name is not None and found and _read(self._folder / SEEN) != name:
            replace_file(self._folder / SEEN, name)
        if self._job != before:
            self.changed()
        return self._job

    async def stop_agent(self) -> None:
        name = _read(self._folder / JOB)
        if name is None:
            return
        # the agent was told to end everything: give it a moment before Slurm does
        with suppress(PerijoveError):
            for _ in range(10):
                job = await self._look()
                if job is None or job.over or job.waits:
                    break
                await asyncio.sleep(0.5)
        await slurm.end(name, END)
        (self._folder / JOB).unlink(missing_ok=True)
        self._job = None

    async def destroy(self) -> None:
        await self.stop_agent()

    def shell(self) -> list[str]:
        if self._job is None:
            return []
        return ["srun", f"--jobid={self._job.id}", "--overlap", "--pty", "bash", "-l"]

    def properties(self) -> dict[str, JsonValue]:
        if self._job is None:
            return {}
        return {
            "slurm_job": self._job.id,
            "slurm_state": self._job.state,
            "node": self._job.node or None,
            "seconds_left": self._job.left,
        }

    def log_text(self) -> str:
        return end_of(self._folder / AGENT_LOG)


def _read(file: Path) -> str | None:
    try:
        return file.read_text().strip() or None
    except OSError:
        return None


KEPT = ("PATH", "PYTHONPATH", "HOME", "JUPYTER_PATH")
