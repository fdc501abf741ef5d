"""The dashboards that come with the package: notebooks, shown by Voila."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qs

from perijove.client.shipped import shipped

PREFIX = "PERIJOVE_DASHBOARD_"


class Dashboard(StrEnum):
    """Which there are."""

    WORKSPACE = "workspace"
    LEADERBOARD = "leaderboard"
    MODEL_CARD = "model_card"


TRACKED = (Dashboard.LEADERBOARD, Dashboard.MODEL_CARD)
"""Those that begin with what MLflow has."""
EXTENSIONS = [
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
]
"""Of JupyterLab's extensions, what widgets need in a page of Voila's: the others are for Lab."""
TEMPLATES = Path(__file__).with_name("templates")
"""Where Voila finds our page before its own: everything in it comes from this server."""


def folder() -> Path:
    """Where the notebooks are."""
    return shipped("dashboards")


def asked(what: str, there_are: Sequence[str]) -> str:
    """The name of what a dashboard was asked to show: the `what` is ``experiment`` or ``model``.

    In JupyterLab it is in the page's address, from the command line in the environment. Without a
    word it is the first there is (empty: there is none), and so it is for a name that there is
    not, which the page then says.
    """
    in_address = parse_qs(os.environ.get("QUERY_STRING", "")).get(what)
    name = in_address[0] if in_address else os.environ.get(PREFIX + what.upper(), "")
    if name and name not in there_are:
        print(f"There is no {what} {name!r}.")
        name = ""
    return name or next(iter(there_are), "")
