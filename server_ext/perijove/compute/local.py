"""The local target: runners on the hub's own machine, forked from a warm zygote if possible."""

from __future__ import annotations

import os
import socket
import subprocess

import psutil

from perijove.abc import InstanceFiles, KernelHost
from perijove.compute.environments import EnvironmentZygotes, warm_attempt
from perijove.compute.folders import Attempt, FolderTarget
from perijove.compute.waiting import wait_for_exit
from perijove.compute.zygote import Zygote, start_cold
from perijove.models.compute import Node, NodeState, Resources
from perijove.models.workspaces import TargetSummary


class LocalTarget(FolderTarget):
    """See `ComputeTarget`."""

    kind = "local"

    def __init__(
        self,
        slots: int | None,
        lease: float,
        zygote: Zygote | None,
        kernels: KernelHost | None = None,
        files: InstanceFiles | None = None,
        environments: EnvironmentZygotes | None = None,
    ) -> None:
        super().__init__("local", lease)
        self._kernels = kernels
        self._files = files
        self._environments = environments
        self._slots = slots or os.cpu_count() or 1
        self._zygote = zygote

    def check(self, wanted: Resources, timeout: float | None = None) -> None:
        # a job has a slot, and sees this machine as it is: no GPU is kept from the others
        remedy = "Ask for less, or for compute that has it: perijove compute list."
        if wanted.gpus:
            remedy = "Its jobs see all GPUs there are; an instance or a cluster shares them out."
        here = Resources(cpus=os.cpu_count() or 1, memory=psutil.virtual_memory().total)
        wanted.must_fit(here, self.name, remedy)

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def nodes(self) -> list[Node]:
        jobs = sorted({job_id for job_id, _ in self._attempts})
        memory = psutil.virtual_memory()
        return [
            Node(
                id=socket.gethostname(),
                state=NodeState.RUNNING if jobs else NodeState.IDLE,
                cpus=os.cpu_count() or 1,
                memory=memory.total,
                # everything that runs here, since it was asked last: jobs share it with others
                cpu_percent=psutil.cpu_percent(),
                memory_used=memory.used,
                jobs=jobs,
            )
        ]

    @property
    def kernels(self) -> KernelHost | None:
        return self._kernels

    @property
    def files(self) -> InstanceFiles | None:
        return self._files

    def summary(self) -> TargetSummary:
        return TargetSummary(
            name=self.name,
            kind=self.kind,
            state="running",
            slots=self._slots,
            running_jobs=len(self._attempts),
            queued_jobs=0,
        )

    def shell(self) -> list[str]:
        return [os.environ.get("SHELL", "/bin/sh"), "-l"]

    async def begin(self, attempt: Attempt) -> int:
        folder = attempt.spec.folder
        elsewhere = attempt.spec.python is not None
        if elsewhere:
            warm_attempt(self._environments, attempt.folder)
        if self._zygote is not None:
            pid = await self._zygote.fork_attempt(folder, kernel=not elsewhere)
            if pid is not None:
                return pid
        process = start_cold(folder)
        self.spawn(_reap(process))
        return process.pid

    async def claimed(self, attempt: Attempt, pid: int | None) -> None:
        if pid is not None:
            await wait_for_exit(pid)


async def _reap(process: subprocess.Popen[bytes]) -> None:
    await wait_for_exit(process.pid)
    process.wait()
