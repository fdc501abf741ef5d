"""What a name, a tag, a parameter and a relative path may look like: said once, used everywhere."""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, JsonValue, WithJsonSchema

from perijove.models.problems import RuleError

NAME_LENGTH = 128
"""Characters in a job, experiment or environment name."""
NAME_REMEDY = "Letters and digits of any language, blanks, '-', '_' and '.' can be in it."
PATH_LENGTH = 4096
TEXT_LENGTH = 4000
"""Characters in a tag's value (MLflow cuts run tags silently at 8,000 bytes)."""
PARAMETER_DEPTH = 32
"""Nesting of lists and objects in a parameter's value."""
PARAMETER_BYTES = 1_000_000
"""Size of all parameters of one job as JSON."""
INT_MAX = 2**63 - 1

_INVISIBLE = (
    r"\u0000-\u001f\u007f-\u009f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u180e"
    r"\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
)
"""Control and format characters (RTL marks, zero width …), as a character class."""
_FORBIDDEN = "/\\\\<>\"'`&:%?*|"
_INVISIBLE_CHAR = re.compile(rf"[{_INVISIBLE}\ud800-\udfff]")
_FORBIDDEN_CHAR = re.compile(f"[{_FORBIDDEN}]")
NAME_PATTERN = (
    rf"^[^\s{_INVISIBLE}{_FORBIDDEN}]([^{_INVISIBLE}{_FORBIDDEN}]*[^\s{_INVISIBLE}{_FORBIDDEN}])?$"
)
PATH_PATTERN = rf"^[^/\\\s.:{_INVISIBLE}][^\\.:{_INVISIBLE}]*(\.ipynb|\.py)$"
"""Stricter than `check_relative_path`, to say in a schema what a good path looks like."""
RUN_NAME_LENGTH = 250
TITLE_PATTERN = rf"^[^\s{_INVISIBLE}]([^{_INVISIBLE}]*[^\s{_INVISIBLE}])?$"
_MARKUP = rf"{_INVISIBLE}<>/\\%"
RUN_NAME_PATTERN = rf"^[^\s{_MARKUP}]([^{_MARKUP}]*[^\s{_MARKUP}])?$"
"""Stricter than `check_run_name`, to say in a schema what a good name looks like."""
_MARKUP_FOUND = re.compile(r"[<>/\\]|%[0-9A-Fa-f]{2}")
_TAG_KEYS = {"pattern": "^[A-Za-z0-9_-]{1,100}$"}
_TAG_TEXT = {"type": "string", "pattern": r"^[^\u0000]*$"}
TAGS_SCHEMA: dict[str, Any] = {
    "type": "object", "propertyNames": _TAG_KEYS, "additionalProperties": _TAG_TEXT,
}  # fmt: skip
"""Stricter than what is checked, to say in a schema what good tags look like."""
TAG_CHANGES_SCHEMA: dict[str, Any] = TAGS_SCHEMA | {
    "additionalProperties": {"anyOf": [_TAG_TEXT, {"type": "null"}]}
}
PARAMETERS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "propertyNames": {"pattern": "^[a-z][a-z0-9]{0,20}_$"},
    "additionalProperties": {
        "anyOf": [
            {"type": "null"},
            {"type": "boolean"},
            {"type": "integer", "minimum": -(2**53), "maximum": 2**53},
            {"type": "number", "minimum": -1e15, "maximum": 1e15},
            {"type": "string", "pattern": r"^[^\u0000]*$"},
            {"type": "array", "items": {"type": "string", "pattern": r"^[^\u0000]*$"}},
            {"type": "object", "additionalProperties": {"type": "boolean"}},
        ]
    },
}


def check_printable(text: str, what: str) -> None:
    """Raises ValueError: there are control or invisible characters in it."""
    if (found := _INVISIBLE_CHAR.search(text)) is not None:
        raise ValueError(
            f"{what} must not contain control or invisible characters (found U+{ord(found[0]):04X})"
        )


def check_name(name: str) -> str:
    """A name as users see it: 1 to 128 visible characters, no slash, quote, HTML or edge blank."""
    try:
        _check_name(name)
    except ValueError as error:
        raise RuleError(str(error), NAME_REMEDY) from None
    return name


def _check_name(name: str) -> None:
    if not name or name != name.strip():
        raise ValueError("a name must not be empty and must not start or end with a blank")
    if len(name) > NAME_LENGTH:
        raise ValueError(f"a name must have at most {NAME_LENGTH} characters (it has {len(name)})")
    check_printable(name, "a name")
    bad = sorted(set(_FORBIDDEN_CHAR.findall(name)))
    if bad:
        raise ValueError(f"a name must not contain {' '.join(bad)}")
    if name in {".", ".."}:
        raise ValueError("a name must not be '.' or '..'")


def check_run_name(name: str) -> str:
    """A run's name: 1 to 250 visible characters, no HTML, slash, percent escape or edge blank."""
    _check_title(name, "a run's name", RUN_NAME_LENGTH)
    if (found := _MARKUP_FOUND.search(name)) is not None:
        raise RuleError(
            f"a run's name must not contain {found[0]}",
            "Leave out < > / \\ and percent escapes; '=', ':' and ',' can be in it.",
        )
    return name


def check_view_name(name: str) -> str:
    """The name of a saved view: 1 to 128 visible characters, no blanks at its ends."""
    return _check_title(name, "a view's name", NAME_LENGTH)


def _check_title(name: str, what: str, length: int) -> str:
    """A name that is only ever shown, as text: whatever can be seen may be in it."""
    if not name or name != name.strip() or len(name) > length:
        raise ValueError(f"{what} must have 1 to {length} characters, and no blanks at its ends")
    check_printable(name, what)
    return name


def check_environment(name: str) -> str:
    """How a job names its environment: a name, ``name:3``, ``name@latest``, or the absolute path
    of a virtual environment."""
    if name.startswith("/"):
        check_printable(name, "a path")
        if len(name) > PATH_LENGTH:
            raise ValueError(f"a path must have at most {PATH_LENGTH} characters")
        return name
    plain, colon, version = name.partition(":")
    if colon and not (version.isascii() and version.isdigit() and len(version) < 7):
        raise ValueError("after the colon of an environment stands the number of its version")
    check_name(plain)
    return name


def check_parameter_name(name: str) -> str:
    """A parameter becomes a variable in the notebook, so it must be a Python-like identifier."""
    if not name.isidentifier():
        raise ValueError(f"parameter names must be identifiers; {name[:80]!r} is not")
    if keyword.iskeyword(name):
        raise ValueError(f"parameter names must not be keywords; {name!r} is one")
    if len(name) > NAME_LENGTH:
        raise ValueError(f"parameter names must have at most {NAME_LENGTH} characters")
    if name.startswith("__"):
        raise ValueError("parameter names must not start with two underscores")
    return name


def check_text(text: str) -> str:
    """Free text that ends up in a UTF-8 column: no lone surrogates, no NUL."""
    for char in text:
        if char == "\0" or unicodedata.category(char) == "Cs":
            raise ValueError(f"text must be valid Unicode without NUL (found U+{ord(char):04X})")
    return text


def check_value(value: Any, path: str = "value", depth: int = 0) -> JsonValue:
    """A parameter's value: JSON, finite, 64-bit integers, nested at most 32 deep."""
    if depth > PARAMETER_DEPTH:
        raise ValueError(
            f"{path.split('.')[0][:80]} is nested deeper than {PARAMETER_DEPTH} levels"
        )
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -INT_MAX - 1 <= value <= INT_MAX:
            raise ValueError(f"{path} must fit in 64 bits")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path} must be a finite number, not {value}")
        return value
    if isinstance(value, str):
        return check_text(value)
    if isinstance(value, (list, tuple)):
        return [check_value(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(f"{path} must have text keys")
            check_text(key)
        return {k: check_value(v, f"{path}.{k}", depth + 1) for k, v in value.items()}
    raise ValueError(f"{path} must be a JSON value, not {type(value).__name__}")


def check_relative_path(path: str) -> str:
    """A path below a root, with forward slashes: not absolute, no ``..``, no NUL."""
    check_printable(path, "a path")
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or "\\" in path or (len(path) > 1 and path[1] == ":"):
        raise ValueError("a path must be relative to its root, with forward slashes")
    if ".." in pure.parts:
        raise ValueError("a path must not contain '..'")
    if len(path) > PATH_LENGTH:
        raise ValueError(f"a path must have at most {PATH_LENGTH} characters")
    return str(pure)


def check_workspace(name: str) -> str:
    """A workspace's name is a folder's name: letters, digits, ``-`` and ``_``, at most 64."""
    if not (
        0 < len(name) <= 64 and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    ):
        raise ValueError("a workspace name must be 1 to 64 letters, digits, '-' or '_'")
    return name


Name = Annotated[
    str,
    AfterValidator(check_name),
    WithJsonSchema({"type": "string", "pattern": NAME_PATTERN, "maxLength": NAME_LENGTH}),
]
EnvironmentName = Annotated[
    str,
    AfterValidator(check_environment),
    WithJsonSchema({"type": "string", "pattern": NAME_PATTERN, "maxLength": NAME_LENGTH}),
]
Text = Annotated[
    str,
    AfterValidator(check_text),
    WithJsonSchema({"type": "string", "pattern": r"^[^\u0000]*$"}),
]
RunName = Annotated[
    str,
    AfterValidator(check_run_name),
    WithJsonSchema({"type": "string", "pattern": RUN_NAME_PATTERN, "maxLength": RUN_NAME_LENGTH}),
]
ViewName = Annotated[
    str,
    AfterValidator(check_view_name),
    WithJsonSchema({"type": "string", "pattern": TITLE_PATTERN, "maxLength": NAME_LENGTH}),
]
NewTags = Annotated[dict[str, Text], WithJsonSchema(TAGS_SCHEMA)]
TagChanges = Annotated[dict[str, Text | None], WithJsonSchema(TAG_CHANGES_SCHEMA)]
RelativePath = Annotated[
    str,
    AfterValidator(check_relative_path),
    WithJsonSchema({"type": "string", "pattern": PATH_PATTERN, "maxLength": 400}),
]
