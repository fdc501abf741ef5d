"""What `perijove compute show` makes of a target's properties."""

from __future__ import annotations

from typing import Any

import pytest

from perijove.cli.compute import _shown


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        (
            "kernels",
            [
                {"kernel_id": "0c5b6a2e-6a0f", "environment": "base", "name": "work/a.ipynb"},
                {"kernel_id": "0c5b6a2e-6a0f", "environment": "geo:1", "name": None},
            ],
            "base (work/a.ipynb), geo:1 (0c5b6a2e)",
        ),
        (
            "schedules",
            [
                {"action": "stop", "cron": "0 19 * * mon-fri"},
                {"action": "start", "cron": "0 8 * * *", "timezone": "Europe/Paris"},
            ],
            "stop at 19:00, mon-fri (local time), start at 08:00, every day (Europe/Paris)",
        ),
        ("memory", 3 << 30, "3 GiB"),
        ("addresses", ["10.0.0.1", "10.0.0.2"], "10.0.0.1, 10.0.0.2"),
    ],
)
def test_a_property_is_shown_in_words(key: str, value: Any, text: str) -> None:
    assert _shown(key, value) == text
