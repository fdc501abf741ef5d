"""Environments on a machine that reaches no package index."""

from __future__ import annotations

import platform
import subprocess
import tarfile
from pathlib import Path

import pytest

from perijove.compute.builds import UvBuilder
from perijove.compute.wheels import packed
from perijove.errors import Conflict, EnvironmentFailed
from perijove.models.environments import EnvironmentContent, SourceKind

pytestmark = [pytest.mark.integration, pytest.mark.asyncio]
VERSION = ".".join(platform.python_version_tuple()[:2])


def carried(folder: Path) -> set[str]:
    """What there is of the packages as they came."""
    return {path.name for path in folder.iterdir()} & {"wheels", ".wheels", "wheels.tar"}


async def test_without_an_index_the_hubs_own_packages_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SourceKind.REQUIREMENTS
    content = EnvironmentContent(source=source, text="six==1.16.0\n", python=VERSION)
    hub = tmp_path / "hub" / content.digest
    with pytest.raises(Conflict, match="not built"):
        packed(hub)
    await UvBuilder(tmp_path / "hub").build(content)
    asked = []

    async def fetch(digest: str, file: Path) -> None:
        asked.append(digest)
        file.write_bytes(b"".join(packed(hub)))

    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(EnvironmentFailed, match="Failed to fetch"):
        await UvBuilder(tmp_path / "there").build(content)

    async def cut(digest: str, file: Path) -> None:
        whole = b"".join(packed(hub))
        file.write_bytes(whole[: len(whole) // 2])

    # what came of it is not left to fill the disk
    with pytest.raises(tarfile.ReadError):
        await UvBuilder(tmp_path / "there", cut).build(content)
    assert not carried(tmp_path / "there" / content.digest)
    result = await UvBuilder(tmp_path / "there", fetch).build(content)
    assert asked == [content.digest]
    code = "import ipykernel, six; print(six.__version__)"
    done = subprocess.run([result.python, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1.16.0\n"
    assert not carried(tmp_path / "there" / content.digest)

    # what cannot be found there at all is not asked for
    wrong = content.model_copy(update={"text": "six==1.16.0 ==2\n"})
    with pytest.raises(EnvironmentFailed):
        await UvBuilder(tmp_path / "there", fetch).build(wrong)
    assert asked == [content.digest]
