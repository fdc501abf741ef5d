"""Entry points of other packages, added to what Perijove brings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from perijove.errors import InvalidInput

COMPUTE = "perijove.compute"
"""Group of kinds of compute targets: each entry point is a `perijove.abc.TargetMaker` class."""


def with_plugins(
    group: str, built_in: Mapping[str, Any], found: Iterable[EntryPoint] | None = None
) -> dict[str, Any]:
    """The built-in ones, and those of the entry points in `group`, made without arguments.

    Raises
    ------
    InvalidInput: two have the same name, or one cannot be loaded; it names the package.
    """
    known = dict(built_in)
    for entry in entry_points(group=group) if found is None else found:
        origin = f"{entry.value} of {entry.dist.name if entry.dist else 'an unknown package'}"
        if entry.name in known:
            raise InvalidInput(
                f"There are two plug-ins called {entry.name!r} in {group}; one is {origin}.",
                remedy="Uninstall one of them.",
            )
        try:
            known[entry.name] = entry.load()()
        except Exception as error:
            raise InvalidInput(f"The plug-in {entry.name!r} ({origin}) fails: {error!r}.") from None
    return known
