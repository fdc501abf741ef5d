"""Tokens that are good for one attempt only, signed by the hub and checked without asking it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json

from pydantic import BaseModel, ValidationError

PREFIX = "pja."
AGENT_PREFIX = "pjn."
KERNELS = "kernels-"
"""Instead of a job's id, before a target's name: the target's interactive kernels."""


class AttemptToken(BaseModel):
    """What an attempt's token says."""

    job_id: str
    attempt: int
    run_id: str


def agent_token(target: str, key: str) -> str:
    """What the agent of a target shows: it is good for that target's link and reports."""
    return f"{AGENT_PREFIX}{_encode(_mac(target.lower(), key + AGENT_PREFIX))}"


def sign(payload: AttemptToken, key: str) -> str:
    """The token of an attempt: ``pja.<payload>.<HMAC-SHA256>``, URL-safe."""
    body = _encode(payload.model_dump_json().encode())
    return f"{PREFIX}{body}.{_encode(_mac(body, key))}"


def verify(token: str, key: str) -> AttemptToken | None:
    """The attempt the token was signed for; None for anything else."""
    if not token.startswith(PREFIX) or not token.isascii():
        return None
    body, _, mac = token.removeprefix(PREFIX).partition(".")
    if not hmac.compare_digest(_encode(_mac(body, key)), mac):
        return None
    try:
        data = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return AttemptToken.model_validate(data)
    except (ValueError, binascii.Error, ValidationError):
        return None


def _mac(body: str, key: str) -> bytes:
    return hmac.digest(key.encode(), body.encode(), hashlib.sha256)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
