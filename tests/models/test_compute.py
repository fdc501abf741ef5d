"""Sizes as people read them."""

from __future__ import annotations

import pytest

from perijove.models.compute import parse_memory, show_amount, show_memory


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2MiB", "2 MiB"),
        ("1000MiB", "1000 MiB"),
        ("1.5GiB", "1.5 GiB"),
        ("512.5GiB", "512.5 GiB"),
        ("900TiB", "900 TiB"),
        ("1024TiB", "1024 TiB"),
    ],
)
def test_sizes_are_shown_in_the_unit_that_fits(text: str, shown: str) -> None:
    assert show_memory(parse_memory(text)) == shown
    assert show_amount("memory", parse_memory(text)) == f"{shown} of memory"
