"""From pydantic's account of what is wrong to our error, which names the field and the rule."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from perijove.errors import InvalidInput

M = TypeVar("M", bound=BaseModel)
BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
    "greater_than": ("more than", "gt"),
    "less_than": ("less than", "lt"),
}
"""What pydantic calls a number that is out of bounds: our words, and where the bound is."""

CHOICES = ("literal_error", "enum")
"""What it calls a word that is none of those there are."""


class PartError(ValueError):
    """A rule broken by a part of a field, named by `part`."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part


class RuleError(ValueError):
    """A rule broken, and what to write instead."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def invalid(place: Sequence[object], problem: Mapping[str, Any]) -> InvalidInput:
    """The error for one of pydantic's problems at `place`."""
    cause = problem.get("ctx", {}).get("error")
    parts = [*map(str, place), *([cause.part] if isinstance(cause, PartError) else [])]
    field = ".".join(parts)[:200] or "body"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = "there is no such field"
    elif problem["type"] in BOUNDS:
        words, bound = BOUNDS[problem["type"]]
        limit = problem["ctx"][bound]
        message = f"must be {words} {int(limit) if limit == int(limit) else limit}"
    elif problem["type"] in CHOICES:
        message = f"must be {problem['ctx']['expected']}"
    elif problem["type"] == "string_too_short":
        message = "must not be empty"
    elif problem["type"] == "string_too_long":
        message = f"must have at most {problem['ctx']['max_length']} characters"
    if isinstance(cause, RuleError):
        return InvalidInput(f"{field}: {message}.", field=field, remedy=cause.remedy)
    return InvalidInput(f"{field}: {message}", field=field)


def validated(model: type[M], data: Mapping[str, Any]) -> M:
    """The model of these data.

    Raises
    ------
    InvalidInput: a field breaks a rule; the first is named.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        named = first["loc"] or isinstance(first.get("ctx", {}).get("error"), PartError)
        found = invalid(first["loc"] if named else ("definition",), first)
        if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
            alike = difflib.get_close_matches(str(first["loc"][0]), model.model_fields, 1, 0.75)
            found.remedy = f"Is it {alike[0]}?" if alike else found.remedy
        raise found from None
