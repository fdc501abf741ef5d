"""Our package on fresh hosts, which have no way to a package index."""

from __future__ import annotations

import asyncio
import functools
import http.server
import os
import shutil
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from perijove.compute import wheels
from perijove.compute.ssh import prepare as preparing
from perijove.compute.ssh.connection import SshHost
from perijove.compute.ssh.prepare import prepare
from perijove.errors import Conflict, InvalidInput, PerijoveError, Unreachable

from .hosts import Host, Hosts

pytestmark = [pytest.mark.integration, pytest.mark.asyncio]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[wheels.Bundle]:
    """A node that needs next to nothing."""
    needs = wheels.metadata.distribution("perijove").requires or ()
    names = {str(wheels.canonicalize_name(wheels.Requirement(need).name)) for need in needs}
    hub_only = wheels.HUB_ONLY | (names - {"psutil", "pydantic"})
    monkeypatch.setattr(wheels, "HUB_ONLY", frozenset(hub_only))
    wheels.bundle.cache_clear()
    yield wheels.bundle()
    wheels.bundle.cache_clear()


@asynccontextmanager
async def connected(box: Host, number: int = 0) -> AsyncIterator[SshHost]:
    async with SshHost(box.address(), box.folder / f"state{number}") as host:
        yield host


async def refusal(box: Host) -> PerijoveError:
    """Why it cannot be prepared; nothing is left there then."""
    async with connected(box) as host:
        with pytest.raises(PerijoveError) as found:
            await prepare(host)
    assert box.exec("ls", "-d", "/root/.perijove-node").returncode
    return found.value


async def test_a_fresh_host_runs_what_the_hub_runs(hosts: Hosts, node: Path) -> None:
    script = "import mlflow, pandas, papermill, sklearn, distributed, perijove.runner; print('ok')"
    said: list[str] = []
    async with connected(hosts.add(node=node)) as host:
        made = await prepare(host, said.append)
        assert said == []
        assert (await host.run([made.python, "-c", script])).out == "ok\n"
        uv = next((node / "bin").iterdir()).name
        argv = [f"{made.home}/bin/{uv}", "pip", "freeze", "--python", made.python]
        there = (await host.run(argv)).out.lower().replace("_", "-").split()
        assert set(wheels.bundle().pins.split()) <= set(there)


async def test_two_at_once_make_one(box: Host, small: wheels.Bundle) -> None:
    async with connected(box) as host, connected(box, 1) as other:
        one, two = await asyncio.gather(prepare(host), prepare(other))
        assert one == two
        home = box.home / ".perijove-node"
        assert one.home == "/root/.perijove-node"
        assert home.stat().st_mode & 0o777 == 0o700
        (log,) = (home / "logs").iterdir()
        assert log.read_text().count("uv pip install") == 1
        assert not (home / "wheels").exists()
        before = box.log.count("Starting session: command")
        assert await prepare(host) == one
        assert box.log.count("Starting session: command") == before + 1


async def test_what_was_killed_is_begun_anew(box: Host, small: wheels.Bundle) -> None:
    home = box.home / ".perijove-node"
    said: list[str] = []

    def cut_short(line: str) -> None:
        said.append(line)
        if line.startswith("Installing the hub's"):
            asyncio.get_running_loop().call_later(0.2, box.reboot)

    async with connected(box) as host:
        with pytest.raises(Unreachable):
            await prepare(host, cut_short)
        assert said
        assert not list(home.glob("venvs/*/done"))
        half = home / "venvs" / small.digest / "half"
        half.mkdir(parents=True, exist_ok=True)
        await host.up.wait()
        made = await prepare(host)
        assert (await host.run([made.python, "-c", "import perijove, pydantic"])).code == 0
        assert not half.exists()
        assert not (home / "wheels").exists()


async def test_what_versions_before_have_left_is_removed(box: Host, small: wheels.Bundle) -> None:
    venvs = box.home / ".perijove-node" / "venvs"
    for name, days in (("old", 8), ("used", 8), ("new", 1)):
        (venvs / name / "bin").mkdir(parents=True)
        shutil.copy("/bin/sleep", venvs / name / "bin/python")
        done = venvs / name / "done"
        done.touch()
        os.utime(done, (time.time() - 86400 * days,) * 2)
    box.start("/root/.perijove-node/venvs/used/bin/python", "600")
    async with connected(box) as host:
        await prepare(host)
    assert {path.name for path in venvs.iterdir() if path.is_dir()} == {"used", "new", small.digest}


async def test_the_hosts_own_index_is_used(
    hosts: Hosts, box: Host, small: wheels.Bundle, tmp_path: Path
) -> None:
    for package in small.packages:
        folder = tmp_path / "simple" / wheels.canonicalize_name(package.name)
        folder.mkdir(parents=True)
        wheels.write_wheel(package, folder)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer((hosts.gateway, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (box.home / ".config/uv").mkdir(parents=True)
        (box.home / ".config/uv/uv.toml").write_text(
            f'[[index]]\nurl = "http://{hosts.gateway}:{server.server_port}/simple"\n'
            "default = true\n"
        )
        said: list[str] = []
        async with connected(box) as host:
            made = await prepare(host, said.append)
            assert (await host.run([made.python, "-c", "import perijove.models.jobs"])).code == 0
        server.shutdown()
    assert not [line for line in said if "index" in line or "differ" in line]


async def test_too_small_a_disk(hosts: Hosts) -> None:
    error = await refusal(hosts.add(disk="64m"))
    assert isinstance(error, Conflict)
    assert "full" in error.message
    assert "64 MB" in error.message or "67 MB" in error.message


@pytest.mark.parametrize("disk", ["20m", "48m"])
async def test_a_disk_that_becomes_full(
    hosts: Hosts, disk: str, small: wheels.Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "ROOM", 0)
    error = await refusal(hosts.add(disk=disk))
    assert isinstance(error, Conflict)
    assert "full" in error.message


async def test_no_python(hosts: Hosts, small: wheels.Bundle) -> None:
    programs = [path for path in Path("/usr/bin").glob("python3*") if not path.is_symlink()]
    error = await refusal(hosts.add(broken=programs, python=False))
    assert isinstance(error, InvalidInput)
    assert "no Python 3.11" in error.message
    assert "Install Python" in str(error.remedy)


async def test_an_old_python_without_an_index(
    hosts: Hosts, small: wheels.Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels.Bundle, "unfit", lambda self, python: f"x needs more than {python}")
    error = await refusal(hosts.add())
    assert isinstance(error, Conflict)
    assert "x needs more than 3." in error.message


async def test_something_in_the_way(box: Host, small: wheels.Bundle) -> None:
    (box.home / ".perijove-node").write_text("mine")
    async with connected(box) as host:
        with pytest.raises(Conflict, match="cannot be made"):
            await prepare(host)
    assert (box.home / ".perijove-node").read_text() == "mine"
