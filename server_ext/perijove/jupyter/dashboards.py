"""``<base>/perijove/dashboards/NAME``: our dashboards in Voila, behind Jupyter's own login.

Voila's own route shows notebooks of the server's root only; this one shows ours, and no others.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.services.contents.filemanager import FileContentsManager
from jupyter_server.utils import ensure_async
from tornado.web import HTTPError, authenticated
from voila.configuration import VoilaConfiguration
from voila.paths import collect_template_paths
from voila.tornado.handler import TornadoVoilaHandler

from perijove.background import Tasks
from perijove.client.dashboards import EXTENSIONS, TEMPLATES, TRACKED, Dashboard, folder
from perijove.errors import PerijoveError

DASHBOARDS = "perijove:dashboards"
AWAY = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta http-equiv="refresh" content="3"><title>Perijove</title></head>
<body style="margin: 3em; font-family: sans-serif">
<p role="alert">MLflow does not answer. The dashboard opens by itself as soon as it does.</p>
</body>
</html>
"""
LOOK, IDLE = 20, 60
"""Seconds between two looks at the kernels of pages; after which one that nobody looks at ends."""

_ending = Tasks("the dashboards", logging.getLogger(__name__))


class Kernels:
    """The server's kernels; those it starts are ended when their page is gone."""

    def __init__(self, kernels: Any) -> None:
        self._kernels = kernels

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernels, name)

    async def start_kernel(self, **options: Any) -> str:
        """As the server's own."""
        kernel_id: str = await ensure_async(self._kernels.start_kernel(**options))
        _ending.spawn(self._end_with_page(kernel_id))
        return kernel_id

    async def _end_with_page(self, kernel_id: str) -> None:
        # a page that is closed says so itself; one whose browser has died cannot
        alone = 0
        while kernel_id in self._kernels and alone < IDLE:
            await asyncio.sleep(LOOK)
            connected = getattr(self._kernels, "_kernel_connections", {}).get(kernel_id, 0)
            alone = 0 if connected else alone + LOOK
        if kernel_id in self._kernels:
            await ensure_async(self._kernels.shutdown_kernel(kernel_id))


class DashboardHandler(TornadoVoilaHandler):
    """A dashboard's page; each viewer has a kernel of his own."""

    def initialize(self, contents: FileContentsManager, **options: Any) -> None:
        self._contents = contents
        super().initialize(**options)

    @property
    def contents_manager(self) -> FileContentsManager:
        """Our notebooks, and nothing else."""
        return self._contents

    @property
    def kernel_manager(self) -> Kernels:
        return Kernels(super().kernel_manager)

    @authenticated
    @authorized(action="execute", resource=DASHBOARDS)
    async def get(self, name: str) -> None:
        if name not in list(Dashboard):
            raise HTTPError(404, f"There is no dashboard {name}.")
        if "voila_jinja2_env" not in self.settings:
            raise HTTPError(
                503, "Enable Voila: jupyter server extension enable voila.server_extension."
            )
        if name in TRACKED and not await self._is_tracking():
            self.set_status(503)
            self.finish(AWAY)
            return
        async for html in self.get_generator(path=f"{name}.ipynb"):
            self.write(html)
            await self.flush()

    async def _is_tracking(self) -> bool:
        """Does MLflow answer? Without it the page would be one of errors."""
        try:
            answer = await self.settings["perijove_gateway"].send("GET", "/status")
        except PerijoveError:
            return True  # its kernel says what is wrong with the hub
        return bool(answer.json().get("tracking_state") == "running")


def options(server_app: Any) -> dict[str, Any]:
    """What the handler is made with."""
    configuration = VoilaConfiguration(parent=server_app)
    configuration.extension_allowlist = EXTENSIONS
    configuration.extension_denylist = []
    voilas = collect_template_paths(["voila", "nbconvert"], configuration.template)
    return {
        "contents": FileContentsManager(root_dir=str(folder()), parent=server_app),
        "config": server_app.config,
        "template_paths": [str(TEMPLATES), *voilas],
        "voila_configuration": configuration,
    }


ROUTE = r"perijove/dashboards/(?P<name>[^/]+)"
