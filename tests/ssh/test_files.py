"""Files on a host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from perijove.compute.instance.sftp import SshFiles
from perijove.compute.ssh.connection import SshHost
from perijove.compute.ssh.files import Files
from perijove.errors import Conflict, InvalidInput, NotFound
from perijove.models.files import FileType

from .hosts import Host, Hosts

pytestmark = [pytest.mark.integration, pytest.mark.asyncio]


async def test_files(box: Host, tmp_path: Path) -> None:
    async with SshHost(box.address(), tmp_path / "state") as host:
        files = Files(host)
        await files.write("a/b/é.txt", b"0123456789")
        found = await files.stat("a/b/é.txt")
        assert (found.name, found.kind, found.size) == ("é.txt", "file", 10)
        assert (box.home / "a/b/é.txt").stat().st_mode & 0o777 == 0o600
        assert await files.read("/root/a/b/é.txt", 2, 3) == b"234"
        assert await files.read("a/b/é.txt", 8) == b"89"
        await files.write("a/b/é.txt", b"", mode=0o640)
        assert (box.home / "a/b/é.txt").stat().st_mode & 0o777 == 0o640
        (box.home / "a/nowhere").symlink_to("/no/such")
        (box.home / "a/link").symlink_to("b")
        names = [(file.name, file.kind) for file in await files.list("a")]
        assert names == [("b", "folder"), ("link", "folder"), ("nowhere", "other")]
        await files.rename("a/b/é.txt", "a/c")
        await files.get_file("a/c", tmp_path / "got")
        assert (tmp_path / "got").read_bytes() == b""
        for wrong in (files.stat("no"), files.read("no"), files.list("no"), files.delete("no")):
            with pytest.raises(NotFound):
                await wrong
        with pytest.raises(Conflict, match="already"):
            await files.rename("a/c", "a/b")
        with pytest.raises(Conflict):
            await files.write("a/b", b"a folder is in the way")
        with pytest.raises(Conflict):
            await files.write("/sys/no", b"")
        with pytest.raises(InvalidInput):
            await files.read("")
        await files.delete("a/link")
        assert (box.home / "a/b").exists()
        await files.delete("a")
        assert not os.path.lexists(box.home / "a")
        assert await files.list(".") == []


async def test_the_drive_follows_links_and_keeps_permissions(box: Host, tmp_path: Path) -> None:
    (box.home / "work").mkdir()
    script = box.home / "work/run.sh"
    script.write_text("old")
    script.chmod(0o700)
    (box.home / "link").symlink_to("work/run.sh")
    (box.home / "folder").symlink_to("work")
    (box.home / "out").symlink_to("/etc")
    async with SshHost(box.address(), tmp_path / "state") as host:
        drive = SshFiles(host)
        await drive.write("link", b"new")
        assert (box.home / "link").is_symlink()
        assert script.read_text() == "new"
        assert script.stat().st_mode & 0o777 == 0o700
        assert (await drive.rename("folder", "same")).type is FileType.FOLDER
        with pytest.raises(Conflict, match="not empty"):
            await drive.delete("work")
        for verb in (drive.stat, drive.entries, drive.mkdir):
            with pytest.raises(InvalidInput, match="leads out"):
                await verb("out")
        with pytest.raises(InvalidInput, match="leads out"):
            await drive.delete("out/hosts")
        for name in ("same", "out", "link"):  # the links go, what they lead to stays
            await drive.delete(name)
        with pytest.raises(InvalidInput, match="home folder itself"):
            await drive.delete("")
        with pytest.raises(NotFound):
            await drive.write("none/x", b"")
        assert [entry.path for entry in await drive.entries("")] == ["work"]
        assert [entry.path for entry in await drive.entries("work")] == ["work/run.sh"]


async def test_trees(box: Host, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "inner").mkdir(parents=True)
    (tree / "inner/script").write_text("x" * 3_000_000)
    (tree / "inner/script").chmod(0o700)
    async with SshHost(box.address(), tmp_path / "state") as host:
        files = Files(host)
        await files.put_tree(tree, "it's/a tree")
        made = box.home / "it's/a tree/inner/script"
        assert made.stat().st_size == 3_000_000
        assert made.stat().st_mode & 0o777 == 0o700
        assert [path.name for path in (box.home / "it's").iterdir()] == ["a tree"]
        with pytest.raises(Conflict, match="already"):
            await files.put_tree(tree, "it's/a tree")


async def test_a_full_disk(hosts: Hosts, tmp_path: Path) -> None:
    box = hosts.add(disk="1m")
    big = tmp_path / "tree/big"
    big.parent.mkdir()
    big.write_bytes(b"x" * 3_000_000)
    async with SshHost(box.address(), tmp_path / "state") as host:
        files = Files(host)
        with pytest.raises(Conflict, match="full"):
            await files.put_file(big, "big")
        with pytest.raises(Conflict, match="full"):
            await files.put_tree(big.parent, "tree")
        assert box.exec("ls", "-A", "/root").stdout == ""
