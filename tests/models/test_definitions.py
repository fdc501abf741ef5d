"""Definitions as YAML."""

from __future__ import annotations

import pytest

from perijove.errors import InvalidInput
from perijove.models.definitions import load_yaml, parse_definition


def test_a_field_may_be_called_on() -> None:
    """YAML would have it be true."""
    text = "on: ssh\nenabled: yes\nparts: {off: 1}\n"
    assert load_yaml(text) == {"on": "ssh", "enabled": True, "parts": {"off": 1}}


def test_a_path_is_relative_to_its_definition_and_to_nothing_else() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_definition("path: train.ipynb\nroot: /elsewhere\n")
    assert refused.value.field == "root"
