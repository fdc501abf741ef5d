"""The kernel provisioner ``perijove``: kernels on compute instances, for everything that starts
kernels through jupyter_client – JupyterLab, papermill, nbclient, Voila, the console.

A kernel that a Jupyter server with our extension starts outlives that server and is adopted by
the next (`perijove.jupyter.reattach`). One that anything else starts ends with its starter.
"""

from __future__ import annotations

import asyncio
import logging
import os
import posixpath
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from jupyter_client.provisioning import KernelProvisionerBase
from tornado.web import HTTPError
from traitlets import Unicode

from perijove.client.discovery import workspace_folder
from perijove.client.http import HubClient
from perijove.client.kernels import Kernels
from perijove.errors import Conflict, NotFound, PerijoveError
from perijove.jupyter.reattach import NOTEBOOK, KernelRecord, Slot
from perijove.models.kernels import Connection, HostedKernel, KernelRequest, KernelState
from perijove.models.problems import validated
from perijove.models.processes import current_process
from perijove.models.workspaces import WorkspaceFolder

PAUSE = 0.1
"""Seconds between two looks while a kernel ends."""

T = TypeVar("T")

# a kernel is looked at many times a second, and papermill shows what every library logs
logging.getLogger("httpx").setLevel(logging.WARNING)


class PerijoveProvisioner(KernelProvisionerBase):
    """Starts a kernel through the hub, and tells jupyter_client how it is.

    The traits come from the kernelspec's ``kernel_provisioner`` metadata.
    """

    instance = Unicode(help="the compute target")
    environment = Unicode("base", help="what the kernel runs in there")
    workspace = Unicode("", help="the workspace; empty: the default one")
    home = Unicode("", help="the PERIJOVE_HOME it is in; empty: the default one")

    _runs = False
    _leaving: asyncio.Task[None] | None = None
    _waking: Kernels | None = None
    _looking: Kernels | None = None

    @property
    def has_process(self) -> bool:
        return self._runs

    @property
    def slot(self) -> Slot | None:
        """Where the Jupyter server that this belongs to keeps what it has; None: there is none."""
        manager = getattr(self.parent, "parent", None)
        found: Slot | None = getattr(manager, "perijove_slot", None)
        return found

    # before and at the start

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """There is no command line: the node makes it."""
        kwargs = await super().pre_launch(**kwargs)
        return kwargs | {"cmd": []}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> dict[str, Any]:
        """Start the kernel, or find the one that is adopted."""
        environ = _added(kwargs["env"])
        notebook = environ.get(NOTEBOOK, "").removeprefix("RTC:")
        cwd = self._folder_of(notebook) or str(kwargs.get("cwd") or os.getcwd())
        slot = self.slot
        connection = slot.found.pop(self.kernel_id, None) if slot is not None else None
        if connection is None:
            fields: dict[str, Any] = {
                "kernel_id": self.kernel_id,
                "environment": self.environment,
                "name": notebook or environ.get("JPY_SESSION_NAME"),
                "cwd": cwd,
                "environ": environ,
                "encrypt": hasattr(self.parent, "curve_publickey"),  # from 8.10 on
                "owner": current_process() if slot is None else None,
            }
            try:
                request = validated(KernelRequest, fields)
                info = await self._ask(self._kernels().start, self.instance, request)
            except PerijoveError as error:
                raise self._refused(error) from None
            connection = info.connection
        if slot is not None:
            name = str(self.parent.kernel_name)
            slot.add(KernelRecord(self.kernel_id, name, cwd, environ))
        # with the file of an earlier server jupyter_client would believe that it has loaded it
        if self.parent.connection_file:
            Path(self.parent.connection_file).unlink(missing_ok=True)
        self._runs = True
        self.connection_info = _as_jupyter(connection)
        return self.connection_info

    # while it runs

    async def poll(self) -> int | None:
        """None while it runs, as far as anyone knows: a hub or an instance that does not answer
        says nothing about the kernel."""
        if not self._runs:
            return 0
        # as it is now: whoever looks after crashed kernels may ask just before a shutdown begins
        ending = getattr(self.parent, "shutting_down", False)
        try:
            info: HostedKernel = await self._ask(self._kernels(start=False).get, self.kernel_id)
        except NotFound as error:
            if error.field == "name" and not ending and self.slot is not None:
                self._let_go()
                return None
            return 1
        except Conflict:  # its machine is off: nobody shall wait for its end, nor be who starts it
            return 1 if ending else None
        except PerijoveError:
            return None
        return 1 if info.state is KernelState.DEAD else None

    async def wait(self) -> int | None:
        code = await self.poll()
        while code is None:
            await asyncio.sleep(PAUSE)
            code = await self.poll()
        self._runs = False
        return code

    async def send_signal(self, signum: int) -> None:
        """To the kernel's process group."""
        try:
            await self._ask(self._kernels().signal, self.kernel_id, signum)
        except NotFound:
            return
        except PerijoveError as error:
            if not getattr(self.parent, "shutting_down", False):
                raise self._refused(error) from None
            self.log.warning("Kernel %s gets no signal %s: %s", self.kernel_id, signum, error)

    async def terminate(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGTERM)

    async def kill(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGKILL)

    # its end

    async def cleanup(self, restart: bool = False) -> None:
        """Forget the kernel, unless another follows with the same id; may be called twice."""
        if restart:
            return
        self._runs = False
        if (slot := self.slot) is not None:
            slot.remove(self.kernel_id)
        try:
            await self._ask(self._kernels().end, self.kernel_id)
        except NotFound:
            pass
        except PerijoveError as error:
            self.log.warning("Kernel %s may still run: %s", self.kernel_id, error)
        for client in (self._waking, self._looking):
            if client is not None:
                client.close()
        self._waking = self._looking = None

    # details

    def _let_go(self) -> None:
        """The instance was deleted: nothing can be started again, the server forgets the kernel."""
        self.log.warning(
            "Kernel %s ended with %s, which was deleted", self.kernel_id, self.instance
        )
        manager = self.parent.parent
        if self._leaving is None and self.kernel_id in manager:
            ending = manager.shutdown_kernel(self.kernel_id, now=True)
            self._leaving = asyncio.create_task(ending)

    def _kernels(self, start: bool = True) -> Kernels:
        """The hub's kernels; `start` starts the hub if need be."""
        if start:
            self._waking = self._waking or Kernels(HubClient(self._folder(), True))
            return self._waking
        self._looking = self._looking or Kernels(HubClient(self._folder(), False))
        return self._looking

    def _folder_of(self, notebook: str) -> str | None:
        """Of a notebook in the instance's own drive: its folder there."""
        drive, _, path = notebook.partition(":")
        if not path or drive.lower() != self.instance.lower():
            return None
        return posixpath.join("~", posixpath.dirname(path))

    def _folder(self) -> WorkspaceFolder:
        folder = workspace_folder(self.workspace or None)
        return WorkspaceFolder(Path(self.home), folder.name) if self.home else folder

    async def _ask(self, verb: Callable[..., T], *words: Any) -> T:
        # the client waits; this runs in the loop of a Jupyter server
        return await asyncio.to_thread(verb, *words)

    def _refused(self, error: PerijoveError) -> Exception:
        """In a Jupyter server: what its REST API answers with."""
        return error if self.slot is None else HTTPError(error.status, str(error))


def _added(environ: dict[str, str]) -> dict[str, str]:
    """What was asked for beyond this process's own environment, which is of no use elsewhere."""
    return {name: value for name, value in environ.items() if os.environ.get(name) != value}


def _as_jupyter(connection: Connection) -> dict[str, Any]:
    return connection.model_dump(exclude_none=True) | {"key": connection.key.encode()}
