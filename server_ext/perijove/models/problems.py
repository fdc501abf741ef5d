"""From pydantic's account of what is wrong to our error, which names the field and the rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perijove.errors import InvalidInput


class PartError(ValueError):
    """A rule broken by a part of a field, named by `part`."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part


def invalid(place: Sequence[object], problem: Mapping[str, Any]) -> InvalidInput:
    """The error for one of pydantic's problems at `place`."""
    cause = problem.get("ctx", {}).get("error")
    parts = [*map(str, place), *([cause.part] if isinstance(cause, PartError) else [])]
    field = ".".join(parts)[:200]
    message = str(problem["msg"]).removeprefix("Value error, ")
    return InvalidInput(f"{field}: {message}", field=field)
