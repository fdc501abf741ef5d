"""The REST routes of compute targets; see `perijove.jupyter.handlers`."""

from __future__ import annotations

import json
from typing import Any

import httpx
from jupyter_server.auth.decorator import authorized
from tornado.web import authenticated

from perijove.jupyter.handlers import TARGET, HubHandler, quoted

COMPUTE = "perijove:compute"
AS_LONG_AS_IT_TAKES = httpx.Timeout(None, connect=5)
"""A machine may be prepared first, or wait in a batch system's queue."""


class TargetsHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=COMPUTE)
    async def get(self) -> None:
        await self.forward("GET", "/compute")

    @authenticated
    @authorized(action="write", resource=COMPUTE)
    async def post(self) -> None:
        await self.forward("POST", "/compute", self.body(), timeout=AS_LONG_AS_IT_TAKES)


class TargetHandler(HubHandler):
    @authenticated
    @authorized(action="read", resource=COMPUTE)
    async def get(self, name: str) -> None:
        await self.forward("GET", f"/compute/{quoted(name)}")


class TargetPartHandler(HubHandler):
    """What of a target is only read: nodes, their usage, logs, events."""

    @authenticated
    @authorized(action="read", resource=COMPUTE)
    async def get(self, name: str, part: str) -> None:
        await self.forward("GET", f"/compute/{quoted(name)}/{part}")


class KernelsHandler(HubHandler):
    """Kernels of a target, without the keys to them: the browser needs none."""

    @authenticated
    @authorized(action="read", resource=COMPUTE)
    async def get(self, name: str) -> None:
        answer = await self.gateway.send("GET", f"/compute/{quoted(name)}/kernels")
        if answer.status_code != 200:
            self.answer(answer)
            return
        self.finish(json.dumps([_without_keys(kernel) for kernel in answer.json()]))


class KernelHandler(HubHandler):
    """Ends a kernel that no Jupyter server has any more."""

    @authenticated
    @authorized(action="execute", resource=COMPUTE)
    async def delete(self, kernel_id: str) -> None:
        await self.forward("DELETE", f"/kernels/{quoted(kernel_id)}")


class TargetVerbHandler(HubHandler):
    """What turns a target on or off, or gives it other limits."""

    @authenticated
    @authorized(action="execute", resource=COMPUTE)
    async def post(self, name: str, verb: str) -> None:
        body = None if verb in ("start", "keep-running") else self.body()
        path = f"/compute/{quoted(name)}/{verb}"
        await self.forward("POST", path, body, timeout=AS_LONG_AS_IT_TAKES)


class DeleteTargetHandler(HubHandler):
    @authenticated
    @authorized(action="write", resource=COMPUTE)
    async def post(self, name: str) -> None:
        path = f"/compute/{quoted(name)}/delete"
        await self.forward("POST", path, self.body(), timeout=AS_LONG_AS_IT_TAKES)


class HostKeysHandler(HubHandler):
    @authenticated
    @authorized(action="write", resource=COMPUTE)
    async def post(self) -> None:
        """The key that a machine shows; asking connects to it, so it is no mere reading."""
        await self.forward("POST", "/host-keys", self.body())


def _without_keys(kernel: dict[str, Any]) -> dict[str, Any]:
    secret = ("key", "curve_secretkey", "curve_publickey")
    shown = {k: v for k, v in kernel["connection"].items() if k not in secret}
    return kernel | {"connection": shown}


COMPUTE_ROUTES: list[tuple[str, type[HubHandler]]] = [
    (r"compute", TargetsHandler),
    (rf"compute/{TARGET}", TargetHandler),
    (rf"compute/{TARGET}/(?P<part>nodes|usage|logs|events|environments)", TargetPartHandler),
    (rf"compute/{TARGET}/kernels", KernelsHandler),
    (r"kernels/(?P<kernel_id>[^/]+)", KernelHandler),
    (rf"compute/{TARGET}/(?P<verb>start|stop|restart|scale|keep-running)", TargetVerbHandler),
    (rf"compute/{TARGET}/delete", DeleteTargetHandler),
    (r"host-keys", HostKeysHandler),
]
