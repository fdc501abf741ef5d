"""Memory in forked kernels."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
from perijove.runner.forking import keep_memory

if sys.argv[1:]:
    keep_memory()
def work():
    return sum(map(len, [b"x" * (8 << 20) for _ in range(4)]))
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*words: str) -> int:
    command = [sys.executable, "-c", FAULTS, *words]
    return int(subprocess.run(command, capture_output=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_large_arrays_take_the_pages_of_those_before_them() -> None:
    assert faults("keep") < faults() / 10
