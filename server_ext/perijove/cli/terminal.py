"""What terminals make of text that others wrote."""

from __future__ import annotations

import re

WILD = re.compile(
    r"(?!\x1b\[(?:0|1|3\d)m)[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
"""What commands a terminal or turns the direction of text; but our own colours and bold."""


def harmless(text: str) -> str:
    """The text with escapes (``\\x1b``) for what a terminal would obey."""
    return WILD.sub(lambda found: ascii(found[0])[1:-1], text)
