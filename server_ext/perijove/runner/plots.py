"""matplotlib, imported by a zygote and put away until a fork imports it.

It takes a third of a second to import, and reads then which backend to use and where its settings
are. So no fork may find it imported: it is handed out by an ``import matplotlib`` in the fork, and
reads its environment there. Where that says anything else than the zygote's did, it is imported
as everywhere.

Only the standard library is imported here: an environment's own Python loads this module, too.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PACKAGE = "matplotlib"
PARTS = (
    "matplotlib.figure",
    "matplotlib.projections",
    "matplotlib.layout_engine",
    "matplotlib.mathtext",
    "matplotlib.backends.backend_agg",
    "matplotlib.style",
    *(f"PIL.{kind}ImagePlugin" for kind in ("Bmp", "Gif", "Jpeg", "Png", "Ppm")),
)
"""What pyplot imports and a first picture needs; not pyplot itself: whether it was imported means
something to matplotlib."""
PLACES = ("HOME", "MATPLOTLIBRC", "MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
"""Where the environment says the settings are."""


def put_away() -> None:
    """Import it, if that was not done, and hide it.

    Raises ImportError: it is not installed.
    """
    if PACKAGE in sys.modules:
        return
    before = set(sys.modules)
    for name in PARTS:
        importlib.import_module(name)
    with suppress(ImportError, AttributeError):
        # reads what all packages say of themselves
        importlib.import_module("matplotlib.backends.registry").backend_registry.list_all()
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(1)  # it was to say that making the list of fonts takes long
    ours = [name for name in sys.modules if name.partition(".")[0] in (PACKAGE, "mpl_toolkits")]
    kept = {name: sys.modules.pop(name) for name in ours if name not in before}
    sys.meta_path.insert(0, _Waiting(kept))


class _Waiting(MetaPathFinder, Loader):
    """Hands the modules out, once."""

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self._modules = modules
        self._places = [os.environ.get(name) for name in PLACES]

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != PACKAGE or target is not None:
            return None
        elsewhere = self._places != [os.environ.get(name) for name in PLACES]
        if elsewhere or os.path.exists("matplotlibrc"):
            return None
        own = self._modules[PACKAGE].__spec__
        assert own is not None
        spec = ModuleSpec(name, self, origin=own.origin, is_package=True)
        spec.submodule_search_locations = own.submodule_search_locations
        spec.loader_state = own
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._modules[PACKAGE]

    def exec_module(self, module: Any) -> None:
        sys.meta_path.remove(self)
        module.__spec__ = module.__spec__.loader_state
        for name, found in self._modules.items():
            sys.modules.setdefault(name, found)
        if backend := os.environ.get("MPLBACKEND"):
            module.rcParams["backend"] = backend
