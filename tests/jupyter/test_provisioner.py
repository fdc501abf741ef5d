"""What the provisioner tells jupyter_client of a kernel whose instance is off, or gone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpec
from traitlets.config import Configurable

from perijove.errors import Conflict, NotFound, PerijoveError, Unreachable
from perijove.jupyter.provisioner import PerijoveProvisioner
from perijove.jupyter.reattach import NOTEBOOK, tell_which_notebook

pytestmark = pytest.mark.asyncio

KERNEL = "0c5b6a2e-6a0f-4b53-9b1f-0d3c8f6d0001"
STOPPED = Conflict("box is stopped.", field="name")
LOST = NotFound("There is no kernel.", field="kernel_id")
DELETED = NotFound("There is no compute target named 'box'.", field="name")


class Server(Configurable):
    """As the kernel manager of a Jupyter server with our extension."""

    perijove_slot: object = object()

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[str] = []

    def __contains__(self, kernel_id: str) -> bool:
        return kernel_id == KERNEL and not self.ended

    async def shutdown_kernel(self, kernel_id: str, now: bool) -> None:
        self.ended.append(kernel_id)


class Manager(Configurable):
    """As jupyter_client's manager of one kernel."""

    shutting_down = False


class Sessions:
    """As the session manager of a Jupyter server."""

    def get_kernel_env(self, path: str | None, name: str | None = None) -> dict[str, str]:
        return {}


class Hub:
    """A hub that refuses to tell of the kernel."""

    def __init__(self, error: PerijoveError) -> None:
        self._error = error

    def get(self, kernel_id: str) -> Any:
        raise self._error


def provisioner(error: PerijoveError, server: Server, ending: bool = False) -> PerijoveProvisioner:
    manager = Manager(parent=server)
    manager.shutting_down = ending
    made = PerijoveProvisioner(
        kernel_id=KERNEL, kernel_spec=KernelSpec(), parent=manager, instance="box"
    )
    made._runs, made._looking = True, Hub(error)  # type: ignore[assignment]
    return made


@pytest.mark.parametrize(
    ("error", "ending", "code"),
    [
        (LOST, False, 1),
        (STOPPED, False, None),  # or Jupyter would restart it, and with it the instance
        (STOPPED, True, 1),
        (Unreachable("box does not answer."), False, None),
        (Unreachable("box does not answer."), True, None),
        (DELETED, True, 1),
    ],
)
async def test_what_a_poll_says(error: PerijoveError, ending: bool, code: int | None) -> None:
    server = Server()
    assert await provisioner(error, server, ending).poll() == code
    assert not server.ended


async def test_kernels_of_a_deleted_instance_are_forgotten_once(caplog: Any) -> None:
    server = Server()
    found = provisioner(DELETED, server)
    assert [await found.poll(), await found.poll()] == [None, None]
    await asyncio.sleep(0)
    assert server.ended == [KERNEL]


async def test_a_program_that_is_no_jupyter_server_is_told_that_it_ended() -> None:
    server = Server()
    server.perijove_slot = None
    assert await provisioner(DELETED, server).poll() == 1


@pytest.mark.parametrize(
    ("path", "name", "notebook"),
    [
        ("box:work/0c5b6a2e", "a.ipynb", "box:work/a.ipynb"),  # as JupyterLab asks
        ("0c5b6a2e", "a.ipynb", "a.ipynb"),
        ("box:a.ipynb", "a.ipynb", "box:a.ipynb"),
        ("work/a.ipynb", "work/a.ipynb", "work/a.ipynb"),
        ("work/a.ipynb", None, "work/a.ipynb"),
        ("work/a.ipynb", "", "work/a.ipynb"),
    ],
)
async def test_a_kernel_is_told_its_notebook(path: str, name: str | None, notebook: str) -> None:
    sessions = Sessions()
    tell_which_notebook(sessions)
    assert sessions.get_kernel_env(path, name) == {NOTEBOOK: notebook}
