"""Attempt tokens are good as they were signed, and not otherwise."""

from __future__ import annotations

import pytest

from perijove.models.tokens import PREFIX, AttemptToken, sign, verify

PAYLOAD = AttemptToken(job_id="a" * 32, attempt=2, run_id="b" * 32)


def test_round_trip() -> None:
    assert verify(sign(PAYLOAD, "key"), "key") == PAYLOAD


def test_another_key() -> None:
    assert verify(sign(PAYLOAD, "key"), "other") is None


def test_every_changed_character_is_noticed() -> None:
    token = sign(PAYLOAD, "key")
    for place in range(len(token)):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert verify(changed, "key") is None


@pytest.mark.parametrize(
    "token",
    ["", PREFIX, f"{PREFIX}.", f"{PREFIX}a.b.c", "ü", f"{PREFIX}ü.ü", "Bearer x", "x" * 9999],
)
def test_what_is_no_token(token: str) -> None:
    assert verify(token, "key") is None
