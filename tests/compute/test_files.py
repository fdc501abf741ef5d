"""The files of this machine: what is done, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from perijove.compute.instance.files import LocalFiles
from perijove.errors import Conflict, InvalidInput, NotFound
from perijove.models.files import FileType

pytestmark = pytest.mark.asyncio


async def test_round_trip(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    assert (await files.stat("")).type is FileType.FOLDER
    assert (await files.mkdir("a")).path == "a"
    made = await files.write("a/x.bin", b"\x00\xff")
    assert (made.path, made.size, made.writable) == ("a/x.bin", 2, True)
    (tmp_path / "a" / "x.bin").chmod(0o640)
    await files.write("a/x.bin", b"new")
    assert (tmp_path / "a" / "x.bin").stat().st_mode & 0o777 == 0o640
    assert await files.read("a/x.bin") == b"new"
    assert (await files.rename("a/x.bin", "y.bin")).path == "y.bin"
    assert [entry.path for entry in await files.entries("")] == ["a", "y.bin"]
    await files.delete("a")
    await files.delete("y.bin")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "out/x", "out", "a\0b"])
async def test_nothing_leads_out(tmp_path: Path, path: str) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "x").write_text("secret")
    (tmp_path / "root" / "out").symlink_to(tmp_path)
    files = LocalFiles(tmp_path / "root")
    for verb in (files.stat, files.read, files.entries, files.mkdir):
        with pytest.raises(InvalidInput):
            await verb(path)
    with pytest.raises(InvalidInput):
        await files.write(path, b"")
    if path != "out":
        with pytest.raises(InvalidInput):
            await files.delete(path)
        with pytest.raises(InvalidInput):
            await files.rename(path, "mine")
    assert (tmp_path / "x").read_text() == "secret"


async def test_a_link_is_removed_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "x").write_text("kept")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "x")
    await LocalFiles(tmp_path / "root").delete("link")
    assert (tmp_path / "x").read_text() == "kept"
    assert not (tmp_path / "root" / "link").is_symlink()


async def test_refusals_name_the_path(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").touch()
    with pytest.raises(NotFound, match="'c'"):
        await files.read("c")
    with pytest.raises(Conflict, match=r"'a'.*not empty"):
        await files.delete("a")
    with pytest.raises(Conflict, match="exists"):
        await files.rename("a/b", "a")
    with pytest.raises(Conflict):
        await files.write("a", b"")
    with pytest.raises(NotFound):
        await files.write("none/x", b"")
    with pytest.raises(InvalidInput, match="home folder itself"):
        await files.delete("")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
