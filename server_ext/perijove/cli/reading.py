"""Files that an option names."""

from __future__ import annotations

from pathlib import Path

from perijove.errors import InvalidInput


def read_text(path: str, field: str) -> str:
    """Its text. Raises InvalidInput, of `field`: it cannot be read, or is no UTF-8."""
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise InvalidInput(f"{path} cannot be read: {why}.", field=field) from None
