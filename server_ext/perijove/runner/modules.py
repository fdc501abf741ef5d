"""What zygotes import so that the kernels they fork need not."""

from __future__ import annotations

KERNEL_MODULES = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    # what a kernel imports when it is initialised
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "pdb",
    "sqlite3",
    "tornado.platform.asyncio",
)
COMPANIONS = {
    # what logging a model takes, and autologging: not matplotlib, but what that imports
    "mlflow": (
        "git",
        "mlflow.pyfunc",
        "skops.io",
        "perijove.tracking.known",
        "PIL.PngImagePlugin",
        "contourpy",
        "cycler",
        "dateutil.rrule",
        "kiwisolver",
        "pyparsing",
    ),
    "pandas": ("pyarrow.pandas_compat",),
    "sklearn": (
        "narwhals._pandas_like.namespace",
        "sklearn.datasets.data",
        "sklearn.datasets.descr",
    ),
}
"""What packages import at their first use only."""
