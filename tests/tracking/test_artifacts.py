"""Artifacts in a folder: pages, ranges, and what must not be read."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from perijove.errors import InvalidInput, NotFound
from perijove.tracking.artifacts import FolderArtifacts
from perijove.tracking.connection import Connection

pytestmark = pytest.mark.asyncio
ROOT = "mlflow-artifacts:/1/run/artifacts"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "store" / "1" / "run" / "artifacts"
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    return folder


@pytest_asyncio.fixture
async def artifacts(tmp_path: Path, run: Path) -> AsyncIterator[FolderArtifacts]:
    connection = Connection("http://127.0.0.1:1", embedded=True)
    yield FolderArtifacts(connection, tmp_path / "store")
    await connection.close()


async def text(artifacts: FolderArtifacts, path: str, *ends: int) -> bytes:
    file = await artifacts.open("run", ROOT, path, *ends)
    return b"".join([piece async for piece in file.content])


async def test_a_folder_of_many_by_pages(artifacts: FolderArtifacts, run: Path) -> None:
    for n in range(2500):
        (run / f"f{n:04d}").touch()
    (run / "zfolder").mkdir()
    names, page, sizes = [], None, []
    while True:
        found = await artifacts.list("run", ROOT, "", page, 1000)
        names += [entry.path for entry in found.entries]
        sizes.append(len(found.entries))
        # what comes in between changes nothing of what follows
        (run / "a").touch()
        page = found.next
        if page is None:
            break
    assert sizes == [1000, 1000, 501]
    assert names == ["zfolder", *(f"f{n:04d}" for n in range(2500))]


async def test_pages_of_what_another_server_tells_at_once(artifacts: FolderArtifacts) -> None:
    told = [{"path": f"a/f{n:04d}", "file_size": n} for n in range(25)]
    told.append({"path": "a/below", "is_dir": True})
    asked = []

    async def get(route: str, query: Mapping[str, str]) -> dict[str, Any]:
        asked.append((route, query["path"]))
        return {"files": told}

    artifacts._connection.get = get  # type: ignore[method-assign]
    names, page = [], None
    while True:
        found = await artifacts.list("run", "s3://bucket/run", "a", page, 10)
        names += [(entry.path, entry.size) for entry in found.entries]
        page = found.next
        if page is None:
            break
    assert names == [("a/below", None), *((f"a/f{n:04d}", n) for n in range(25))]
    assert asked == [("artifacts/list", "a")]
    await artifacts.list("run", "s3://bucket/run", "a", None, 10)
    assert len(asked) == 2


async def test_links_are_not_followed(artifacts: FolderArtifacts, run: Path) -> None:
    (run / "file").symlink_to(run.parents[3] / "secret")
    (run / "folder").symlink_to(run.parents[3])
    os.mkfifo(run / "pipe")
    listed = await artifacts.list("run", ROOT, "", None, 10)
    assert [(e.path, e.is_dir, e.size) for e in listed.entries] == [
        ("file", False, None), ("folder", False, None), ("pipe", False, None),
    ]  # fmt: skip
    for path in ("file", "folder/secret", "folder", "pipe"):
        with pytest.raises((InvalidInput, NotFound)):
            await text(artifacts, path)
        with pytest.raises((InvalidInput, NotFound)):
            await artifacts.local("run", ROOT, path)
    with pytest.raises((InvalidInput, NotFound)):
        await artifacts.list("run", ROOT, "folder", None, 10)


@pytest.mark.parametrize("path", ["..", "../x", "/etc/passwd", "a//b", "a/./b", "a\0b", "./a"])
async def test_paths_stay_below(artifacts: FolderArtifacts, path: str) -> None:
    with pytest.raises(InvalidInput) as error:
        await text(artifacts, path)
    assert error.value.field == "path"
    with pytest.raises(InvalidInput):
        await artifacts.list("run", ROOT, path, None, 10)


async def test_what_is_not_there(artifacts: FolderArtifacts, run: Path) -> None:
    (run / "file").write_text("x")
    for path in ("nothing", "no/thing", "file/x", "x" * 300):
        with pytest.raises(NotFound):
            await text(artifacts, path)
    assert (await artifacts.list("run", ROOT, "", None, 9)).entries[0].path == "file"
    elsewhere = await artifacts.list("other", "mlflow-artifacts:/1/other/artifacts", "", None, 9)
    assert elsewhere.entries == []  # a run that has logged nothing yet


async def test_ranges_of_a_huge_file(artifacts: FolderArtifacts, run: Path) -> None:
    with (run / "huge").open("wb") as file:
        file.truncate(5 << 30)
        file.seek(-3, os.SEEK_END)
        file.write(b"end")
    opened = await artifacts.open("run", ROOT, "huge", 0, 10)
    assert (opened.size, opened.length) == (5 << 30, 10)
    await opened.content.aclose()  # type: ignore[attr-defined]
    assert await text(artifacts, "huge", (5 << 30) - 3) == b"end"
    assert await text(artifacts, "huge", 0, 4) == b"\0" * 4
    assert await text(artifacts, "huge", 6 << 30) == b""
