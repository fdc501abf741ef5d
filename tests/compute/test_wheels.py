"""Which Pythons can have what is installed here."""

from __future__ import annotations

import sys

import pytest
from packaging.tags import parse_tag

from perijove.compute.wheels import _runs, bundle

MINOR = sys.version_info.minor


@pytest.mark.parametrize(
    ("tag", "minor", "fits"),
    [
        ("py3-none-any", 11, True),
        ("py2.py3-none-any", 14, True),
        ("py2-none-any", 12, False),
        ("py312-none-any", 11, False),
        ("cp312-cp312-manylinux_2_17_x86_64", 12, True),
        ("cp312-cp312-manylinux_2_17_x86_64", 13, False),
        ("cp39-abi3-manylinux_2_17_x86_64", 13, True),
        ("cp313-abi3-manylinux_2_17_x86_64", 12, False),
        ("pp310-pypy310_pp73-manylinux_2_17_x86_64", 10, False),
    ],
)
def test_tags(tag: str, minor: int, fits: bool) -> None:
    assert any(_runs(each, minor) for each in parse_tag(tag)) is fits


def test_the_hubs_own_python_has_them_and_another_has_not() -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    assert bundle().unfit(version) is None
    other = bundle().unfit(f"3.{MINOR + 1}.9")
    assert other is not None
    assert f"for Python 3.{MINOR} only" in other or "needs Python" in other
