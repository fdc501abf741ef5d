"""What ``perijove job`` says to people."""

from __future__ import annotations

from perijove.cli.job import _told


def test_a_field_is_told_in_words() -> None:
    assert _told({"done": 3, "total": 7}) == "done=3 total=7"
    assert _told({"a": [1, None], "b": "é"}) == "a=[1, null] b=é"
    assert _told("queued") == "queued"
