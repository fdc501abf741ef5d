"""Notebooks that come with the package."""

from __future__ import annotations

from pathlib import Path

from perijove import __file__ as package_file


def shipped(kind: str) -> Path:
    """The folder of ``dashboards`` or ``gallery``: in the package, or beside it in a work tree."""
    package = Path(package_file).parent
    inside = package / kind
    return inside if inside.is_dir() else package.parents[1] / "notebooks" / kind
