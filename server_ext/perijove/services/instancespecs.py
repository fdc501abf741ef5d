"""Kernelspecs ``<environment>@<instance>``, written where every Jupyter program looks for them.

That is the kernels folder of the user's Jupyter data: JupyterLab's kernel picker, papermill,
nbclient and Voila find them there, whether a Jupyter server or a hub runs or not. A kernel that is
started from one starts the hub, and the instance, if need be. Where two workspaces have an
instance of the same name, the one that wrote last has the kernelspec.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from perijove.errors import PerijoveError
from perijove.models.compute import ComputeTargetInfo, TargetState
from perijove.models.environments import EnvironmentKind, EnvironmentState, EnvironmentSummary
from perijove.models.workspaces import WorkspaceFolder
from perijove.services.kernels import KernelService
from perijove.services.targets import LOCAL

log = logging.getLogger(__name__)

PROVISIONER = "perijove"
LOGOS = ("logo-32x32.png", "logo-64x64.png", "logo-svg.svg")
SETTLE = 0.2
"""Seconds until a burst of changes is looked at."""
REFRESH = 30.0
"""Seconds after which a running instance is asked again which environments it has."""


class InstanceKernelspecs:
    """Keeps the kernelspecs of a workspace's instances as they are.

    Parameters
    ----------
    kernels_folder: where they are written; None: the user's Jupyter data folder.
    local: write those of the hub's own machine, too.
    built: environments that were created; instances build them when a kernel is started in one.
    """

    def __init__(
        self,
        folder: WorkspaceFolder,
        kernels: KernelService,
        local: bool,
        kernels_folder: Path | None = None,
        built: Callable[[], list[EnvironmentSummary]] = list,
    ) -> None:
        self._built = built
        self._folder = folder
        self._kernels = kernels
        self._local = local
        self._kernels_folder = kernels_folder
        self._seen: tuple[dict[str, TargetState], list[str]] = {}, []
        self._looked = float("-inf")

    async def run(self) -> None:
        """Follow what is created, deleted, started and stopped, for ever."""
        with self._kernels.compute.broker.subscribe() as changed:
            while True:
                changed.clear()
                try:
                    await self.refresh()
                except OSError as error:
                    log.warning("The kernelspecs cannot be written: %s", error)
                await changed.wait()
                await asyncio.sleep(SETTLE)

    async def refresh(self, force: bool = False) -> None:
        """Write what is missing or different, and remove what is gone."""
        instances = self._instances()
        built = [
            EnvironmentSummary(
                name=environment.name,
                display_name=environment.name,
                language="python",
                warm=False,
                kind=EnvironmentKind.BUILT,
            )
            for environment in self._built()
            if environment.state is EnvironmentState.READY
        ]
        seen = (
            {target.name: target.state for target in instances},
            [environment.name for environment in built],
        )
        now = asyncio.get_running_loop().time()
        if not force and seen == self._seen and now < self._looked + REFRESH:
            return
        self._seen, self._looked = seen, now
        wanted: dict[str, dict[str, Any]] = {}
        for target in instances:
            for environment in [*await self._environments(target), *built]:
                name = f"{environment.name}@{target.name}".lower()
                wanted[name] = self._spec(target, environment)
        await asyncio.to_thread(self._write, wanted)

    def _instances(self) -> list[ComputeTargetInfo]:
        targets = self._kernels.compute.jobs.supervisor.targets
        return [
            target
            for target in self._kernels.compute.all()
            if targets[target.name].kernels is not None
            and (target.name != LOCAL or self._local)
            and target.state not in (TargetState.CREATING, TargetState.DELETING)
        ]

    async def _environments(self, target: ComputeTargetInfo) -> list[EnvironmentSummary]:
        if target.state is TargetState.RUNNING:
            with suppress(PerijoveError):
                found = await self._kernels.environments(target.name)
                # the node's own Python once: as base
                return [item for item in found if item.name == "base" or not item.warm]
        # as they were when it last ran
        return await asyncio.to_thread(self._known, target.name) or [
            EnvironmentSummary(
                name="base", display_name="Python (base)", language="python", warm=True
            )
        ]

    def _spec(self, target: ComputeTargetInfo, environment: EnvironmentSummary) -> dict[str, Any]:
        off = target.state in (TargetState.STOPPED, TargetState.FAILED)
        state = f" ({target.state.value})" if off else ""
        place = {
            "instance": target.name,
            "environment": environment.name,
            "workspace": self._folder.name,
            "home": str(self._folder.home),
        }
        return {
            "argv": [],
            "display_name": f"{environment.display_name} @ {target.name}{state}",
            "language": environment.language,
            "interrupt_mode": environment.interrupt_mode,
            "metadata": {
                "debugger": environment.language == "python",
                "kernel_provisioner": {"provisioner_name": PROVISIONER, "config": place},
                "perijove": {
                    **place,
                    "state": target.state.value,
                    "summary": environment.model_dump(),
                },
            },
        }

    # the folder

    def _root(self) -> Path:
        if self._kernels_folder is not None:
            return self._kernels_folder
        from jupyter_core.paths import jupyter_data_dir

        return Path(jupyter_data_dir()) / "kernels"

    def _ours(self) -> dict[str, dict[str, Any]]:
        """Those of this workspace, and of workspaces that are gone."""
        found = {}
        for path in self._root().glob("*@*/kernel.json"):
            with suppress(OSError, ValueError, KeyError, TypeError):
                spec = json.loads(path.read_text())
                place = spec["metadata"]["perijove"]
                root = WorkspaceFolder(Path(place["home"]), place["workspace"]).root
                # nobody else removes those of a workspace that is gone
                if root == self._folder.root or not root.exists():
                    found[path.parent.name] = spec
        return found

    def _known(self, instance: str) -> list[EnvironmentSummary]:
        places = [spec["metadata"]["perijove"] for spec in self._ours().values()]
        return [
            EnvironmentSummary.model_validate(place["summary"])
            for place in places
            if (place["instance"], place["home"]) == (instance, str(self._folder.home))
            and place["summary"]["kind"] != EnvironmentKind.BUILT
        ]

    def _write(self, wanted: dict[str, dict[str, Any]]) -> None:
        written = self._ours()
        for name in written.keys() - wanted.keys():
            shutil.rmtree(self._root() / name, ignore_errors=True)
        for name, spec in wanted.items():
            if written.get(name) == spec:
                continue
            folder = self._root() / name
            folder.mkdir(parents=True, exist_ok=True)
            if spec["language"] == "python":
                _copy_logos(folder)
            partial = folder / f".kernel.json.{os.getpid()}"
            partial.write_text(json.dumps(spec, indent=1))
            partial.rename(folder / "kernel.json")


def _copy_logos(folder: Path) -> None:
    found = find_spec("ipykernel")
    for place in (found.submodule_search_locations or ()) if found is not None else ():
        for logo in LOGOS:
            with suppress(OSError):
                shutil.copyfile(Path(place) / "resources" / logo, folder / logo)
