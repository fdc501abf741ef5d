"""Run configurations as YAML text: plain mappings only, no aliases, no tags, at most 1 MB.

Aliases are refused because a few lines of them can stand for gigabytes, tags because they name
objects to make; a run configuration needs neither.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import yaml
from pydantic import ValidationError

from perijove.errors import InvalidInput
from perijove.models.jobs import JobDefinition
from perijove.models.problems import invalid

YAML_BYTES = 1_000_000
SUFFIX = ".job.yaml"
BOOL, TEXT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:str"


class _PlainLoader(yaml.SafeLoader):
    # a date stays text, as in papermill's own YAML: parameters are JSON, which has none
    yaml_implicit_resolvers = {
        first: [known for known in resolvers if known[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str, what: str, field: str | None) -> None:
        super().__init__(text)
        self._what = what
        self._field = field

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse(line, "aliases (& or *)")
        if getattr(event, "tag", None):
            self._refuse(line, f"tags ({event.tag})")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        for key, _ in node.value:
            if key.tag == BOOL:  # ``on: ssh`` is a field's name
                key.tag = TEXT
        return super().construct_mapping(node, deep)

    def _refuse(self, line: int, used: str) -> NoReturn:
        raise InvalidInput(f"Line {line}: a {self._what} must not use {used}.", field=self._field)


def load_yaml(text: str, what: str = "job definition", field: str | None = None) -> Any:
    """The data of a plain YAML text; `what` it is and the `field` it came in, for messages.

    Raises
    ------
    InvalidInput: it is no YAML, too long, or uses aliases or tags.
    """
    if len(text) > YAML_BYTES:
        raise InvalidInput(f"A {what} must have at most {YAML_BYTES} characters.", field=field)
    try:
        loader = _PlainLoader(text, what, field)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise InvalidInput(f"The {what} is no valid YAML: {_said(error)}.", field=field) from None
    except (RecursionError, ValueError) as error:
        raise InvalidInput(f"The {what} cannot be read: {error}.", field=field) from None


def _said(error: yaml.YAMLError) -> str:
    """A YAML error in one line."""
    if isinstance(error, yaml.MarkedYAMLError) and (mark := error.problem_mark) is not None:
        return f"{error.problem} (line {mark.line + 1}, column {mark.column + 1})"
    return str(error)


def parse_definition(text: str) -> JobDefinition:
    """A job definition from YAML.

    Raises
    ------
    InvalidInput: as `load_yaml`, or a key or value breaks a rule; ``field`` names it.
    """
    data = load_yaml(text)
    if not isinstance(data, dict):
        raise InvalidInput("A job definition must be a mapping of keys to values.")
    if "root" in data:
        raise InvalidInput(
            "root: the path of a job definition is relative to its own folder.",
            field="root",
            remedy="Leave root out.",
        )
    return make_definition(data)


def make_definition(data: dict[str, Any]) -> JobDefinition:
    """A job definition from a mapping; raises InvalidInput with the field at fault."""
    try:
        return JobDefinition.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise invalid(first["loc"], first) from None


def dump_definition(definition: JobDefinition) -> str:
    """The definition as YAML, to be kept beside its source: so the path is the file's name.

    It has no root, and nothing that is at its default.
    """
    data = definition.model_dump(mode="json", exclude={"root", "id"}, exclude_defaults=True)
    data["path"] = Path(definition.path).name
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def definition_path(source: Path) -> Path:
    """``train.ipynb`` → ``train.job.yaml``."""
    return source.with_name(source.stem + SUFFIX)
