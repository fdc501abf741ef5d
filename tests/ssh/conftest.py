"""Hosts for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .hosts import Host, Hosts


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the keys, agents and configuration of whoever runs it."""
    (tmp_path / "user/.ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    """Machines to add to."""
    with Hosts(tmp_path) as found:
        yield found


@pytest.fixture
def box(hosts: Hosts) -> Host:
    """One machine."""
    return hosts.add()
