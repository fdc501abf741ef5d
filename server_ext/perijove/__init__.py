"""Perijove: managed machine-learning services inside JupyterLab, on machines the user owns.

``import perijove as pj; ws = pj.Workspace(); job = ws.jobs.submit("train.ipynb").wait()``
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from perijove.client.jobs import Job as Job
    from perijove.client.workspace import Workspace as Workspace
    from perijove.errors import Conflict as Conflict
    from perijove.errors import HubUnreachable as HubUnreachable
    from perijove.errors import InvalidInput as InvalidInput
    from perijove.errors import JobFailed as JobFailed
    from perijove.errors import NotFound as NotFound
    from perijove.errors import PerijoveError as PerijoveError
    from perijove.errors import TrackingUnreachable as TrackingUnreachable
    from perijove.errors import WaitTimeout as WaitTimeout
    from perijove.models.jobs import JobDefinition as JobDefinition

_HOME = {
    "Conflict": "perijove.errors",
    "HubUnreachable": "perijove.errors",
    "InvalidInput": "perijove.errors",
    "Job": "perijove.client.jobs",
    "JobDefinition": "perijove.models.jobs",
    "JobFailed": "perijove.errors",
    "NotFound": "perijove.errors",
    "PerijoveError": "perijove.errors",
    "TrackingUnreachable": "perijove.errors",
    "WaitTimeout": "perijove.errors",
    "Workspace": "perijove.client.workspace",
}
_MODULES = {"widgets": "perijove.notebook.widgets"}
__all__ = sorted([*_HOME, *_MODULES, "__version__"])


def __getattr__(name: str) -> Any:
    # imported when used: the runner and the zygote import this package, and need none of these
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in _MODULES:
        return import_module(_MODULES[name])
    raise AttributeError(f"module 'perijove' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext perijove``."""
    import_module("perijove.notebook.magics").register(shell)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "perijove"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": "perijove.jupyter.app"}]
