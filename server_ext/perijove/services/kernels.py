"""Kernels on compute targets, wherever they are: start, signal, end, find again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel

from perijove.abc import KernelHost
from perijove.errors import Conflict, NotFound, PerijoveError, Unreachable
from perijove.models.attempts import RunnerProcess
from perijove.models.compute import ComputeTargetInfo, TargetState
from perijove.models.environments import EnvironmentContent, EnvironmentSummary
from perijove.models.kernels import Connection, HostedKernel, KernelInfo, KernelRequest
from perijove.models.processes import is_alive
from perijove.services.compute import ComputeService
from perijove.services.targetinfo import OFF, must_run
from perijove.services.targets import LOCAL
from perijove.writing import replace_file

log = logging.getLogger(__name__)

START_PATIENCE = 300.0
"""Seconds a kernel waits for the start of its instance."""
LOOK = 2.0
"""Seconds between two looks at the owners of kernels."""
ON_THE_WAY = (
    TargetState.CREATING,
    TargetState.STARTING,
    TargetState.RESTARTING,
    TargetState.STOPPING,
)


class KernelPlace(BaseModel):
    """What the hub keeps of a kernel: where it is, and how this machine reached it last."""

    kernel_id: str
    compute: str
    owner: RunnerProcess | None = None
    connection: Connection | None = None
    ending: bool = False


@dataclass
class KernelService:
    """The verbs on kernels.

    Parameters
    ----------
    folder: one file a kernel, so that the next hub knows where each is.
    compute: knows the targets and starts those that are off.
    environ: what kernels of a target get into their environment, before what was asked for.
    content: what a built environment is made of; None: it is none.
    """

    folder: Path
    compute: ComputeService
    environ: Callable[[str], Mapping[str, str]] = lambda _: {}
    content: Callable[[str], EnvironmentContent | None] = lambda _: None
    _places: dict[str, KernelPlace] = field(default_factory=dict)

    def load(self) -> None:
        """Remember the kernels of the hubs before."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in self.folder.glob("*.json"):
            with suppress(ValueError, OSError):
                place = KernelPlace.model_validate_json(path.read_text())
                self._places[place.kernel_id] = place

    async def run(self) -> None:
        """End the kernels whose owner is gone, for ever."""
        while True:
            await asyncio.sleep(LOOK)
            for place in list(self._places.values()):
                if place.ending or (place.owner is not None and not is_alive(place.owner)):
                    with suppress(PerijoveError):
                        await self.end(place.kernel_id)

    async def start(self, name: str, request: KernelRequest) -> HostedKernel:
        """The kernel of this id on this target, started if it does not run; the target is too.

        Raises
        ------
        NotFound: there is no such target, or no such environment on it.
        EnvironmentFailed: the environment cannot be built there.
        Conflict: the target has no kernels, or the kernel is on another one.
        Unreachable: the target does not come up or does not answer.
        """
        name = self.compute.get(name).name
        self._host(name)
        known = self._places.get(request.kernel_id)
        if known is not None and known.compute != name:
            raise Conflict(
                f"Kernel {request.kernel_id} runs on {known.compute}.",
                field="kernel_id",
                remedy="End it there first.",
            )
        await self._wake(name)
        if request.environment and (content := self.content(request.environment)) is not None:
            python = await self._host(name).build(content)
            request = request.model_copy(update={"python": python})
        place = known or KernelPlace(kernel_id=request.kernel_id, compute=name)
        place.owner, place.ending = request.owner, False
        self._keep(place)
        environ = {**self.environ(name), **request.environ}
        try:
            info = await self._host(name).start(request.model_copy(update={"environ": environ}))
        except (NotFound, Conflict):
            if known is None:
                self._forget(request.kernel_id)
            raise
        hosted = await self._hosted(place, info)
        self.compute.broker.changed()
        return hosted

    async def get(self, kernel_id: str) -> HostedKernel:
        """A kernel, as it is now; without CPU and memory.

        Raises
        ------
        NotFound: there is none, or its target has lost it.
        Conflict: its target is off.
        Unreachable: its target does not answer.
        """
        place = self._find(kernel_id)
        return await self._hosted(place, await self._awake(place.compute).look(kernel_id))

    async def environments(self, name: str) -> list[EnvironmentSummary]:
        """What kernels can run in on this target; raises as `get`."""
        return await self._awake(self.compute.get(name).name).environments()

    async def list(self, name: str) -> list[HostedKernel]:
        """The target's kernels, oldest first; none if it is off."""
        info = self.compute.get(name)
        host = self._host(info.name)
        if info.state is not TargetState.RUNNING:
            return []
        found = await host.list()
        return [
            await self._hosted(self._places[kernel.kernel_id], kernel)
            if kernel.kernel_id in self._places
            else HostedKernel(compute=info.name, **kernel.model_dump())
            for kernel in found
        ]

    async def signal(self, kernel_id: str, signum: int) -> None:
        """Send a signal to the kernel's process group; raises as `get`."""
        await self._awake(self._find(kernel_id).compute).signal(kernel_id, signum)

    async def end(self, kernel_id: str) -> None:
        """End the kernel and forget it. If its target does not answer that is done when it does.

        Raises
        ------
        NotFound: there is none.
        """
        place = self._find(kernel_id)
        try:
            target = self.compute.get(place.compute)
        except NotFound:
            self._forget(kernel_id)
            return
        if target.state not in OFF:  # no kernel outlives the machine it is on
            place.ending = True
            self._keep(place)
            try:
                await self._host(target.name).end(kernel_id)
            except Unreachable as error:
                log.info("Kernel %s is ended when %s answers: %s", kernel_id, target.name, error)
                return
        self._forget(kernel_id)
        self.compute.broker.changed()

    async def rest(self, force: bool) -> None:
        """The hub is told to end: kernels on its own machine end with it.

        Raises
        ------
        Conflict: there are such kernels, and `force` is not given.
        """
        here = [p.kernel_id for p in self._places.values() if p.compute == LOCAL and not p.ending]
        if here and not force:
            raise Conflict(
                f"{len(here)} kernel{'s' * (len(here) != 1)} of {LOCAL} "
                f"{'are' if len(here) != 1 else 'is'} open.",
                remedy="Shut them down, or use --force, which ends them.",
            )
        for kernel_id in here:
            await self.end(kernel_id)

    # details

    async def _wake(self, name: str) -> None:
        """Return when the target runs."""
        deadline = time.monotonic() + START_PATIENCE
        with self.compute.broker.subscribe() as changed:
            while True:
                changed.clear()
                info = self.compute.get(name)
                if info.state is TargetState.RUNNING:
                    return
                if info.state in OFF:
                    await self._begin(info)
                elif info.state in ON_THE_WAY:
                    await _wait(changed, deadline, info)
                else:
                    must_run(info)

    async def _begin(self, info: ComputeTargetInfo) -> None:
        try:
            await self.compute.start(info.name)
        except Conflict:
            if self.compute.get(info.name).state in OFF:  # nobody else has begun
                raise

    def _host(self, name: str) -> KernelHost:
        host = self.compute.jobs.supervisor.targets[name].kernels
        if host is None:
            raise Conflict(
                f"{name} runs jobs, not kernels.",
                field="name",
                remedy="Use a compute instance: perijove compute create NAME --kind instance.",
            )
        return host

    def _awake(self, name: str) -> KernelHost:
        info = self.compute.get(name)
        host = self._host(info.name)
        must_run(info)
        return host

    async def _hosted(self, place: KernelPlace, info: KernelInfo) -> HostedKernel:
        """The kernel as this machine reaches it."""
        connection = await self._host(place.compute).reach(info, place.connection)
        if connection != place.connection and place.kernel_id in self._places:
            place.connection = connection
            self._keep(place)
        fields = info.model_dump() | {"connection": connection}
        return HostedKernel(compute=place.compute, **fields)

    def _find(self, kernel_id: str) -> KernelPlace:
        if (found := self._places.get(kernel_id)) is None:
            raise NotFound(f"There is no kernel {kernel_id[:40]!r}.", field="kernel_id")
        return found

    def _keep(self, place: KernelPlace) -> None:
        self._places[place.kernel_id] = place
        path = self.folder / f"{place.kernel_id}.json"
        replace_file(path, place.model_dump_json())

    def _forget(self, kernel_id: str) -> None:
        self._places.pop(kernel_id, None)
        (self.folder / f"{kernel_id}.json").unlink(missing_ok=True)


async def _wait(changed: asyncio.Event, deadline: float, info: ComputeTargetInfo) -> None:
    try:
        await asyncio.wait_for(changed.wait(), max(0, deadline - time.monotonic()))
    except TimeoutError:
        raise Unreachable(
            f"{info.name} is not up after {START_PATIENCE:.0f} s: it {info.state.said}.",
            remedy="Try again when it runs.",
        ) from None
