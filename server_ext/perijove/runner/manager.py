"""A forked kernel as jupyter_client's kernel manager, so that nbclient uses it like any other."""

from __future__ import annotations

import signal

from jupyter_client.manager import AsyncKernelManager

from perijove.runner.kernel import LEAVE, LEAVE_INTERRUPTED, WarmKernel


class ForkedKernelManager(AsyncKernelManager):
    """Manages a kernel that is up already."""

    forked: WarmKernel

    def adopt(self, kernel: WarmKernel) -> None:
        """Take the connection of a forked kernel."""
        self.forked = kernel
        self.load_connection_info(
            kernel.connection | {"key": str(kernel.connection["key"]).encode()}
        )
        self.connection_file = str(kernel.connection_file)

    @property
    def has_kernel(self) -> bool:
        return True

    async def _async_is_alive(self) -> bool:
        return self.forked.poll() is None

    is_alive = _async_is_alive  # its clients ask for the one, everybody else for the other

    async def interrupt_kernel(self) -> None:
        self.forked.send_signal(signal.SIGINT)

    async def signal_kernel(self, signum: int) -> None:
        self.forked.send_signal(signum)

    async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
        if now:
            self.forked.send_signal(signal.SIGKILL)
        elif self.forked.poll() is None:
            self._connect_control_socket()
            request = self.session.msg("shutdown_request", {"restart": restart})
            self.session.send(self._control_socket, request)
        self.forked.end(LEAVE if not self.forked.interrupted else LEAVE_INTERRUPTED)

    async def cleanup_resources(self, restart: bool = False) -> None:
        if self._control_socket is not None:
            self._close_control_socket()
