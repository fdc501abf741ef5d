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
from abc import abstractmethod
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
"""What pyplot imports and a first picture needs."""
PYPLOT = f"{PACKAGE}.pyplot"
"""Put away by itself: whether it was imported means something to matplotlib."""
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
    pyplot = _pyplot()
    ours = [name for name in sys.modules if name.partition(".")[0] in (PACKAGE, "mpl_toolkits")]
    kept = {name: sys.modules.pop(name) for name in ours if name not in before}
    sys.meta_path.insert(0, _Package(kept, pyplot))


def _pyplot() -> ModuleType | None:
    """Imported, and gone again; None: this one does more when it is imported than to be there."""
    found: Any = importlib.import_module(PYPLOT)
    del sys.modules[PYPLOT], sys.modules[PACKAGE].pyplot
    hook = getattr(found, "_REPL_DISPLAYHOOK", None)
    return found if getattr(hook, "name", None) == "NONE" else None


class _Waiting(MetaPathFinder, Loader):
    """Hands a module out, once."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    @abstractmethod
    def fits(self) -> bool:
        """Is it as it would be if it were imported now?"""

    def given(self, module: Any) -> None:
        """It has been handed out."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self._module.__name__ or target is not None or not self.fits():
            return None
        own = self._module.__spec__
        assert own is not None
        inside = own.submodule_search_locations
        spec = ModuleSpec(name, self, origin=own.origin, is_package=inside is not None)
        spec.submodule_search_locations = inside
        spec.loader_state = own
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: Any) -> None:
        sys.meta_path.remove(self)
        module.__spec__ = module.__spec__.loader_state
        self.given(module)


class _Package(_Waiting):
    """matplotlib, and with it all that was put away."""

    def __init__(self, modules: dict[str, ModuleType], pyplot: ModuleType | None) -> None:
        super().__init__(modules[PACKAGE])
        self._modules, self._pyplot = modules, pyplot
        self._places = [os.environ.get(name) for name in PLACES]

    def fits(self) -> bool:
        same = self._places == [os.environ.get(name) for name in PLACES]
        return same and not os.path.exists("matplotlibrc")

    def given(self, module: Any) -> None:
        for name, found in self._modules.items():
            sys.modules.setdefault(name, found)
        if backend := os.environ.get("MPLBACKEND"):
            module.rcParams["backend"] = backend
        if self._pyplot is not None:
            sys.meta_path.insert(0, _Pyplot(self._pyplot))


class _Pyplot(_Waiting):
    """pyplot, which looks for a window system when it is imported if the backend is for one."""

    def fits(self) -> bool:
        try:
            matplotlib: Any = importlib.import_module(PACKAGE)
            backends: Any = importlib.import_module(f"{PACKAGE}.backends")
            chosen = matplotlib.rcParams._get_backend_or_none()
            windows = backends.backend_registry.list_builtin(backends.BackendFilter.INTERACTIVE)
        except (ImportError, AttributeError):
            return False
        return chosen is None or chosen.lower() not in windows
