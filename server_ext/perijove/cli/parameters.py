"""Parameters on the command line, by papermill's rules for its own ``-p -r -y -b``."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from perijove.errors import InvalidInput
from perijove.models.definitions import load_yaml


def resolve(text: str) -> Any:
    """The value of ``-p name=text``: True, False, None, a whole number, a number, else text."""
    if text in ("True", "False", "None"):
        return {"True": True, "False": False, "None": None}[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def collect(
    typed: tuple[str, ...], raw: tuple[str, ...], yaml: tuple[str, ...], encoded: tuple[str, ...]
) -> dict[str, Any]:
    """All parameters; what is said more plainly wins: -b, then -y, then -p, then -r."""
    found: dict[str, Any] = {}
    for text in encoded:
        try:
            # what encodes wraps long lines
            decoded = base64.b64decode("".join(text.split()), validate=True).decode("utf-8")
        except ValueError:
            raise InvalidInput("-b must be base64 of a YAML mapping.", field="-b") from None
        found |= _mapping(decoded, "-b")
    for text in yaml:
        found |= _mapping(text, "-y")
    for item in typed:
        name, value = _split(item, "-p")
        found[name] = resolve(value)
    for item in raw:
        name, value = _split(item, "-r")
        found[name] = value
    return found


def _split(item: str, option: str) -> tuple[str, str]:
    name, sign, value = item.partition("=")
    if not sign or not name:
        raise InvalidInput(
            f"{option} must be name=value, not {item[:80]!r}.", field=option, remedy="Add the '='."
        )
    return name, value


def _mapping(text: str, option: str) -> dict[str, Any]:
    data = load_yaml(text, f"value of {option}", option)
    if data is None:  # an empty text, as from an empty file
        return {}
    if not isinstance(data, dict):
        raise InvalidInput(f"{option} must be a YAML mapping of names to values.", field=option)
    return data


def tagged(words: Iterable[str]) -> dict[str, str | None]:
    """Tags by their names; None removes one.

    Raises
    ------
    InvalidInput: a word is neither NAME=TEXT nor NAME-.
    """
    return dict(map(_tag, words))


def _tag(word: str) -> tuple[str, str | None]:
    key, equals, text = word.partition("=")
    if equals and key:
        return key, text
    if word.endswith("-") and len(word) > 1:
        return word[:-1], None
    raise InvalidInput(
        f"{word[:80]!r} is no tag.", field="tags", remedy="Write NAME=TEXT, or NAME- to remove it."
    )
