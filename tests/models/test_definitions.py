"""Definitions as YAML."""

from __future__ import annotations

from perijove.models.definitions import load_yaml


def test_a_field_may_be_called_on() -> None:
    """YAML would have it be true."""
    text = "on: ssh\nenabled: yes\nparts: {off: 1}\n"
    assert load_yaml(text) == {"on": "ssh", "enabled": True, "parts": {"off": 1}}
