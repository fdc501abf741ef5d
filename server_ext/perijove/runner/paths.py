"""Where the Python of an environment finds the few things of ours that it needs."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

LENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lent")
"""A folder with our MLflow plug-ins: see `perijove_job` in it."""


def lend(environ: MutableMapping[str, str]) -> None:
    """Have every Python that is started with these variables find it, last of all."""
    before = environ.get("PYTHONPATH")
    environ["PYTHONPATH"] = LENT if not before else f"{before}{os.pathsep}{LENT}"
