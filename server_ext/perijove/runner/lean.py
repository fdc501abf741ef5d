"""Imports papermill without what only slows it down, for processes that never need it."""

from __future__ import annotations

import sys

# jsonschema compiles a grammar for international URIs when it is imported (0.9 s of papermill's
# 1.3 s). Notebook documents have no field of that format.
SLOW = "rfc3987_syntax"


def import_papermill() -> None:
    """Import papermill, nbclient and nbformat the quick way."""
    blocked = SLOW not in sys.modules
    if blocked:
        sys.modules[SLOW] = None  # type: ignore[assignment]  # the import system's own marker
    try:
        import papermill.execute  # noqa: F401
    finally:
        if blocked:
            del sys.modules[SLOW]


def forget_lean_modules() -> None:
    """Let the next ``import jsonschema`` load all of it: user code must see nothing of this."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "jsonschema"]:
        del sys.modules[name]
