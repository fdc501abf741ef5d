"""Kernels on compute instances."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from perijove.client.http import HubClient
from perijove.models.kernels import HostedKernel, KernelRequest

if TYPE_CHECKING:
    import builtins


class Kernels:
    """``workspace.kernels``: what Jupyter's side starts, signals and ends."""

    def __init__(self, client: HubClient) -> None:
        self._client = client

    def start(self, compute: str, request: KernelRequest) -> HostedKernel:
        """The kernel of this id, started if it does not run; so is the instance.

        Raises
        ------
        NotFound: there is no such target or environment.
        Conflict: the target has no kernels.
        Unreachable: the target does not come up.
        """
        body = request.model_dump(mode="json", exclude_none=True)
        return _kernel(self._client.request("POST", _path(compute), json=body))

    def get(self, kernel_id: str) -> HostedKernel:
        """A kernel; raises NotFound, and Conflict or Unreachable when its target is away."""
        return _kernel(self._client.request("GET", f"/kernels/{quote(kernel_id, safe='')}"))

    def list(self, compute: str) -> builtins.list[HostedKernel]:
        """The kernels of a target."""
        return [_kernel(item) for item in self._client.request("GET", _path(compute))]

    def signal(self, kernel_id: str, signum: int) -> None:
        """Send a signal to the kernel's process group; raises as `get`."""
        path = f"/kernels/{quote(kernel_id, safe='')}/signal"
        self._client.request("POST", path, json={"signum": int(signum)})

    def end(self, kernel_id: str) -> None:
        """End it with everything it started; raises NotFound."""
        self._client.request("DELETE", f"/kernels/{quote(kernel_id, safe='')}")

    def close(self) -> None:
        """Release connections."""
        self._client.close()


def _path(compute: str) -> str:
    return f"/compute/{quote(compute, safe='')}/kernels"


def _kernel(found: object) -> HostedKernel:
    return HostedKernel.model_validate(found)
