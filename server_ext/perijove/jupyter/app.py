"""Wires the handlers into a Jupyter server."""

from __future__ import annotations

import re
import shlex
import sys
import warnings
from typing import Any

from jupyter_server.kernelspecs.handlers import KernelSpecResourceHandler
from jupyter_server.services.kernelspecs.handlers import KernelSpecHandler
from jupyter_server.utils import url_path_join

from perijove.jupyter import dashboards
from perijove.jupyter.computehandlers import COMPUTE_ROUTES
from perijove.jupyter.drive import DRIVES
from perijove.jupyter.events import EventsHandler
from perijove.jupyter.gallery import GALLERY
from perijove.jupyter.gateway import Gateway
from perijove.jupyter.handlers import ROUTES
from perijove.jupyter.modelhandlers import MODEL_ROUTES
from perijove.jupyter.reattach import attach
from perijove.jupyter.studio import STUDIO

OURS = re.compile(r"Kernelspec name \S+@\S+ is invalid")
"""What jupyter_client says of a kernel on an instance; nothing is lost by it."""


def _load_jupyter_server_extension(server_app: Any) -> None:
    """Called by Jupyter when the extension is enabled.

    The hub is started by its first request, or by kernels to adopt.
    """
    # jupyter_client warns of the @ in their names at every look, and at every start
    warnings.filterwarnings("ignore", "Invalid kernelspec directory name.*@")
    server_app.log.addFilter(lambda record: not OURS.match(str(record.msg)))
    # a login shell in a terminal need not have it on its PATH
    command = shlex.join([sys.executable, "-m", "perijove.cli"])
    server_app.web_app.settings.setdefault("page_config_data", {})["perijoveCommand"] = command
    base = server_app.web_app.settings["base_url"]
    gateway = server_app.web_app.settings["perijove_gateway"] = Gateway()
    attach(server_app, gateway.folder)
    handlers: list[tuple[Any, ...]] = [
        (url_path_join(base, "perijove", "api", pattern), handler)
        for pattern, handler in [*ROUTES, *COMPUTE_ROUTES, *STUDIO, *MODEL_ROUTES, *GALLERY]
    ]
    handlers.append((url_path_join(base, "perijove", "events"), EventsHandler))
    handlers += [
        (url_path_join(base, "perijove", "drives", pattern), handler) for pattern, handler in DRIVES
    ]
    page = (dashboards.DashboardHandler, dashboards.options(server_app))
    handlers.append((url_path_join(base, dashboards.ROUTE), *page))
    # Jupyter's own patterns have no @, which stands in the names of kernels on instances
    name = r"(?P<kernel_name>[^/]+@[^/]+)"
    pictures = url_path_join(base, "kernelspecs", f"{name}/(?P<path>.*)")
    handlers.append((pictures, KernelSpecResourceHandler))
    handlers.append((url_path_join(base, "api", "kernelspecs", name), KernelSpecHandler))
    server_app.web_app.add_handlers(".*$", handlers)
