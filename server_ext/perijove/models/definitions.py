"""Run configurations as YAML text: plain mappings only, no aliases, no tags, at most 1 MB.

Aliases are refused because a few lines of them can stand for gigabytes, tags because they name
objects to make; a run configuration needs neither.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from perijove.errors import InvalidInput
from perijove.models.jobs import JobDefinition
from perijove.models.problems import invalid

YAML_BYTES = 1_000_000
SUFFIX = ".job.yaml"


class _PlainLoader(yaml.SafeLoader):
    def __init__(self, text: str, what: str) -> None:
        super().__init__(text)
        self._what = what

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise InvalidInput(f"Line {line}: a {self._what} must not use aliases (& or *).")
        if getattr(event, "tag", None):
            raise InvalidInput(f"Line {line}: a {self._what} must not use tags ({event.tag}).")
        return super().compose_node(parent, index)


def load_yaml(text: str, what: str = "job definition") -> Any:
    """The data of a plain YAML text; `what` it is, for messages.

    Raises
    ------
    InvalidInput: it is no YAML, too long, or uses aliases or tags.
    """
    if len(text) > YAML_BYTES:
        raise InvalidInput(f"A {what} must have at most {YAML_BYTES} characters.")
    try:
        loader = _PlainLoader(text, what)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise InvalidInput(f"The {what} is no valid YAML: {error}.") from None
    except (RecursionError, ValueError) as error:
        raise InvalidInput(f"The {what} cannot be read: {error}.") from None


def parse_definition(text: str) -> JobDefinition:
    """A job definition from YAML.

    Raises
    ------
    InvalidInput: as `load_yaml`, or a key or value breaks a rule; ``field`` names it.
    """
    data = load_yaml(text)
    if not isinstance(data, dict):
        raise InvalidInput("A job definition must be a mapping of keys to values.")
    return make_definition(data)


def make_definition(data: dict[str, Any]) -> JobDefinition:
    """A job definition from a mapping; raises InvalidInput with the field at fault."""
    try:
        return JobDefinition.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise invalid(first["loc"], first) from None


def dump_definition(definition: JobDefinition) -> str:
    """The definition as YAML, without its root and without what is at its default."""
    data = definition.model_dump(mode="json", exclude={"root", "id"}, exclude_defaults=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def definition_path(source: Path) -> Path:
    """``train.ipynb`` → ``train.job.yaml``."""
    return source.with_name(source.stem + SUFFIX)
