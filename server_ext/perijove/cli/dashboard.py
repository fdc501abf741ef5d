"""``perijove dashboard NAME``."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import webbrowser
from typing import Any

import click

from perijove.cli.output import emit
from perijove.cli.program import common
from perijove.client.dashboards import EXTENSIONS, PREFIX, TEMPLATES, TRACKED, Dashboard, folder
from perijove.client.workspace import Workspace
from perijove.errors import Conflict, InvalidInput, TrackingUnreachable

ADDRESS = "127.0.0.1"
IDLE = 120
"""Seconds after which the kernel of a page that nobody has open any more is ended."""


@click.command()
@click.argument("name", type=click.Choice([each.value for each in Dashboard]))
@click.option("--experiment", metavar="NAME", help="What the leaderboard shows.")
@click.option("--model", metavar="NAME", help="What the model card shows.")
@click.option("--browser/--no-browser", default=True, help="Open it in a browser.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0: a free one.")
@click.option("--theme", type=click.Choice(["light", "dark"]), default="light")
@common
def dashboard(
    name: str,
    experiment: str | None,
    model: str | None,
    browser: bool,
    port: int,
    theme: str,
    workspace: str | None,
    as_json: bool,
) -> None:
    """Show a dashboard on this machine, behind a token, until Ctrl+C."""
    if experiment is not None and name != Dashboard.LEADERBOARD:
        raise InvalidInput("--experiment goes with the leaderboard.", field="experiment")
    if model is not None and name != Dashboard.MODEL_CARD:
        raise InvalidInput("--model goes with the model_card.", field="model")
    used = Workspace(workspace)
    used.up()
    # one that starts is waited for by the page
    if name in TRACKED and used.status().tracking_state == "unreachable":
        raise TrackingUnreachable(
            "MLflow does not answer, and the dashboard shows what it has.",
            remedy="It comes back by itself. See: perijove status.",
        )
    if experiment is not None:
        experiment = used.experiments.get(experiment).name
    if model is not None:
        model = used.models.get(model).name
    for key, value in (("EXPERIMENT", experiment), ("MODEL", model)):
        if value is not None:
            os.environ[PREFIX + key] = value
    os.environ["PERIJOVE_WORKSPACE"] = used.name
    chosen = _free(port)
    token = secrets.token_urlsafe(24)
    url = f"http://{ADDRESS}:{chosen}/?token={token}"
    app = _voila(name, chosen, token, theme)
    emit({"url": url, "name": name}, as_json, f"{name} is at {url}\nCtrl+C ends it.")
    if browser:
        webbrowser.open(url)
    app.start()


def _voila(name: str, port: int, token: str, theme: str) -> Any:
    """Voila for one of our notebooks. A page's kernel is started, and its cells are run, before
    somebody asks for it."""
    from traitlets.config import Config
    from voila.app import Voila

    config = Config()
    config.Voila.ip = ADDRESS
    config.Voila.port = port
    config.Voila.port_retries = 0
    # not on the command line, where every user of the machine could read it
    config.Voila.token = token
    config.Voila.open_browser = False
    # it would warn that the notebook is not signed: it is ours
    config.Voila.log_level = logging.ERROR
    config.VoilaConfiguration.theme = theme
    config.VoilaConfiguration.preheat_kernel = True
    config.VoilaConfiguration.default_pool_size = 1
    config.VoilaConfiguration.extension_allowlist = EXTENSIONS
    config.VoilaConfiguration.extension_denylist = []
    if os.name == "posix":
        # sockets that only this user can open
        config.KernelManager.transport = "ipc"
    config.MappingKernelManager.cull_idle_timeout = IDLE
    config.MappingKernelManager.cull_interval = 30
    # it would warn of a default of Jupyter Server's that nobody here can change
    logging.getLogger("tornado.general").setLevel(logging.ERROR)
    app = Voila(config=config)
    app.initialize([str(folder() / f"{name}.ipynb")])
    app.template_paths.insert(0, str(TEMPLATES))
    return app


def _free(port: int) -> int:
    """The port if it is free, a free one for 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError:
            raise Conflict(
                f"Port {port} is in use.", field="port", remedy="Leave --port out."
            ) from None
        return int(probe.getsockname()[1])
