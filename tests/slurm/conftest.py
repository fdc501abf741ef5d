"""A Slurm for the session, and what a test needs to look at it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from slurm.bed import Slurm, missing


@pytest.fixture(scope="session")
def slurm_bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """The session's Slurm."""
    lacking = missing()
    if lacking and os.environ.get("CI") != "true":
        pytest.skip(lacking)
    assert lacking is None, lacking
    bed = Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        bed.start()
        yield bed
    finally:
        bed.stop()


@pytest.fixture
def slurm(slurm_bed: Slurm, tmp_path: Path) -> Iterator[Slurm]:
    """The same with an empty queue, both nodes up, and nothing left at the end."""
    slurm_bed.clear()
    slurm_bed.recover()
    # what starts a cluster here names the folder; Dask's own files stay in it too
    yield slurm_bed
    slurm_bed.clear()
