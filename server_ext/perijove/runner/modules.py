"""What zygotes import so that the kernels they fork need not."""

from __future__ import annotations

import builtins
import fnmatch
import importlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from perijove.runner import plots

KERNEL_MODULES = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    # what a kernel imports when it is initialised
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.core.pylabtools",
    "IPython.extensions.storemagic",
    "pdb",
    "sqlite3",
    "tornado.platform.asyncio",
)
COMPANIONS = {
    # what logging a model takes
    "mlflow": (
        "git",
        "mlflow.models.display_utils",
        "mlflow.pyfunc",
        "mlflow.tracking.request_header.registry",
        "netrc",
        "skops.io",
        "perijove.tracking.known",
        "perijove.tracking.overrides",
        "perijove.tracking.repeated",
    ),
    "pandas": ("pyarrow.pandas_compat",),
    "sklearn": (
        "narwhals._interchange.dataframe",
        "narwhals._pandas_like.namespace",
        "narwhals.stable.v2._namespace",
        "sklearn.datasets.data",
        "sklearn.datasets.descr",
        "sklearn.utils._pprint",
    ),
}
"""What packages import at their first use only."""


def load(name: str) -> None:
    """Import one of those that are asked for, and its companions. Raises whatever it raises."""
    package = name.partition(".")[0]
    if package == plots.PACKAGE:
        plots.put_away()
        return
    with _as_in_a_kernel():
        importlib.import_module(name)
        for companion in COMPANIONS.get(package, ()):
            with suppress(ImportError):
                importlib.import_module(companion)


def rehearse_kernel() -> None:
    """Compile the patterns that a kernel does when it is initialised."""
    from IPython.core.completer import CompletionSplitter

    CompletionSplitter()
    for pattern in ("*.py", "*.ipy"):  # those of a profile's startup files
        fnmatch.filter([""], pattern)


class ZMQInteractiveShell:
    """Has the name and the attribute that modules know a notebook's shell by."""

    kernel = None


@contextmanager
def _as_in_a_kernel() -> Iterator[None]:
    """While it is imported, pandas asks whether it is in a notebook or in a terminal, and decides
    how many columns of a table it shows."""
    builtins.get_ipython = ZMQInteractiveShell  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del builtins.get_ipython  # type: ignore[attr-defined]
