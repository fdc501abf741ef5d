"""Preparing a host: our package, in an environment of its own, with the hub's versions.

Everything is in one folder of the user's home::

    ~/.perijove-node/
      bin/uv-VERSION     the hub's uv, where it runs there
      wheels/DIGEST/     while the environment is made: our wheel; the others too, if the host
                         has no way to a package index
      venvs/DIGEST/      the environment; the file `done` comes last
      logs/DIGEST.log    what uv said
      cache/ python/     uv's own

The digest stands for our package, its dependencies' versions and the Python's. Nothing else on
the host is changed.
"""

from __future__ import annotations

import asyncio
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import IO, Protocol

from perijove.compute.scratch import scratch
from perijove.compute.ssh import on_host, scripts
from perijove.compute.ssh.facts import Completed
from perijove.compute.wheels import Bundle, bundle, write_wheel
from perijove.errors import Conflict, InvalidInput, PerijoveError, Unreachable
from perijove.models.ssh import HostFacts, NodeInstall, RemoteFile

HOME = ".perijove-node"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
TIMEOUT = 3600.0
"""Seconds for the making of an environment."""
FAST = 10e6
"""Bytes per second from which on sending takes less time than compressing."""
UNUSED = 7
"""Days after which the environment of another version of ours is removed, if nothing uses it."""
ROOM = 1.8
"""Bytes that an environment takes for each byte unpacked: byte code, and wheels meanwhile."""

_LOOK = r"""
home="$HOME/.perijove-node"
if [ -x "$home/venvs/$1/bin/python" ] && [ -e "$home/venvs/$1/done" ]; then
  touch "$home/venvs/$1/done"
  echo "perijove:home=$home"
fi
exit 0
"""
_FOLDERS = r"""
umask 077
home="$HOME/.perijove-node"
mkdir -p "$home/bin" "$home/wheels/$1" && chmod 700 "$home" && echo "perijove:home=$home"
[ -x "$home/$2" ] && echo "perijove:uv=$home/$2"
exit 0
"""
_TIDY = r"""
home="$HOME/.perijove-node"
[ -d "$home" ] || exit 0
rm -rf "$home/wheels/$1"
rmdir "$home/wheels" 2>/dev/null
# what no hub has asked for in a week, and nothing runs from, was of versions before this one
for venv in "$home"/venvs/*; do
  [ "$venv" = "$home/venvs/$1" ] && continue
  [ -n "$(find "$venv/done" -mtime +"$3" 2>/dev/null)" ] || continue
  grep -qsF "$venv/" /proc/[0-9]*/cmdline || { rm -f "$venv/done" && rm -rf "$venv"; }
done
# where no environment was ever made, nothing of ours is left
[ -n "$2" ] || [ -n "$(ls -A "$home/venvs" 2>/dev/null | grep -v '\.lock$')" ] || rm -rf "$home"
exit 0
"""
_BRING = r"""
export UV_CACHE_DIR="$3/cache" UV_PYTHON_INSTALL_DIR="$3/python" UV_NO_PROGRESS=1
"$1" python install --no-bin "$2" >&2 || exit 1
echo "perijove:python=$("$1" python find --managed-python "$2")"
"""

Say = Callable[[str], None]


class NodeFiles(Protocol):
    """The files of a host, as far as they are needed here; see `Files`."""

    async def put_file(self, local: Path, path: str, mode: int | None = None) -> None: ...
    async def write(self, path: str, data: bytes, mode: int = 0o600) -> None: ...
    async def mkdir(self, path: str) -> None: ...
    async def list(self, path: str) -> Sequence[RemoteFile]: ...


class NodeHost(Protocol):
    """A host, as far as it is needed here; see `SshHost`."""

    async def facts(self) -> HostFacts: ...
    async def run(
        self,
        argv: Sequence[str],
        *,
        input: str | bytes | IO[bytes] | None = None,
        timeout: float = 60.0,
    ) -> Completed: ...
    def files(self) -> NodeFiles: ...


async def prepare(host: NodeHost, say: Say = lambda line: None) -> NodeInstall:
    """Make sure that our package can run on the host; one round trip if it can already.

    Parameters
    ----------
    say: called with a line for people, whenever something that takes time begins.

    Raises
    ------
    InvalidInput: the system is not Linux, or there is no Python and none can be brought.
    Conflict: the disk is full or not writable, or the packages cannot be had; nothing is left.
    Unreachable: the host is away; what was begun there is taken up by the next call.
    """
    wanted = await asyncio.to_thread(bundle)
    done = await host.run([*scripts.SHELL, wanted.digest], input=_LOOK)
    if home := scripts.answers(done.out).get("home"):
        return _install(home, wanted)
    facts = await host.facts()
    _check(host, facts, wanted)
    try:
        home, uv = await _copy(host, facts, wanted, say)
        python = await _python(host, facts, uv, home, say)
        await _make(host, facts, wanted, home, uv, python, say)
    except Unreachable:  # what has been copied saves time when it is back
        raise
    except PerijoveError:
        await host.run([*scripts.SHELL, wanted.digest, "", str(UNUSED)], input=_TIDY)
        raise
    await host.run([*scripts.SHELL, wanted.digest, "ready", str(UNUSED)], input=_TIDY)
    say(f"{host} is ready.")
    return _install(home, wanted)


def _install(home: str, wanted: Bundle) -> NodeInstall:
    return NodeInstall(python=f"{home}/venvs/{wanted.digest}/bin/python", home=home)


def _check(host: NodeHost, facts: HostFacts, wanted: Bundle) -> None:
    if facts.os != "Linux":
        raise InvalidInput(f"{host} runs {facts.os}; nodes are Linux machines.", field="host")
    need = int(wanted.size * ROOM)
    if facts.disk_free < need:
        raise Conflict(
            f"The disk of {host} is full: {_size(facts.disk_free)} are free in {facts.home},"
            f" and a node needs {_size(need)}.",
            remedy="Free some space there.",
        )


async def _copy(host: NodeHost, facts: HostFacts, wanted: Bundle, say: Say) -> tuple[str, str]:
    """Our folder, with uv and our wheel in it: the paths of the folder and of uv."""
    ours = _own_uv(facts)
    name = f"bin/uv-{metadata.version('uv')}" if ours is not None else "bin/uv-none"
    done = await host.run([*scripts.SHELL, wanted.digest, name], input=_FOLDERS)
    said = scripts.answers(done.out)
    if "home" not in said:
        raise _not_made(host, done.err)
    home, uv, files = said["home"], said.get("uv"), host.files()
    if uv is None and ours is not None:
        say(f"Copying uv to {host}.")
        uv = f"{home}/{name}"
        await files.put_file(ours, uv, mode=0o700)
    uv = uv or facts.uv
    if uv is None:
        raise InvalidInput(
            f"{host} has no uv, and the hub's does not run on its {facts.machine} machine.",
            field="host",
            remedy="Install uv there: pip install --user uv",
        )
    await files.write(f"{home}/wheels/{wanted.digest}/{wanted.wheel_name}", wanted.wheel)
    return home, uv


def _own_uv(facts: HostFacts) -> Path | None:
    """The hub's uv, if it runs on such a host."""
    if not _alike(facts):
        return None
    try:
        import uv

        return Path(uv.find_uv_bin())
    except (ImportError, FileNotFoundError):
        return None


def _alike(facts: HostFacts) -> bool:
    """Do the hub's own binaries run there?"""
    # a wheel names the oldest glibc that it runs on, and uv heeds it
    return (
        (sys.platform, platform.machine()) == ("linux", facts.machine)
        and platform.libc_ver()[0] == "glibc"
        and facts.libc.startswith("gnu ")
    )


async def _python(host: NodeHost, facts: HostFacts, uv: str, home: str, say: Say) -> str:
    """A Python there: of the hub's minor version, if that can be had."""
    if facts.python and (facts.python_version or "").startswith(f"{PYTHON}."):
        return facts.python
    say(f"Bringing Python {PYTHON} to {host}.")
    done = await host.run([*scripts.SHELL, uv, PYTHON, home], input=_BRING, timeout=TIMEOUT)
    if found := scripts.answers(done.out).get("python"):
        return found
    if facts.python:
        return facts.python
    raise InvalidInput(
        f"{host} has no Python 3.11 or newer, and uv cannot bring one: {_last(done.err)}",
        field="host",
        remedy=f"Install Python {PYTHON} there.",
    )


async def _make(
    host: NodeHost, facts: HostFacts, wanted: Bundle, home: str, uv: str, python: str, say: Say
) -> None:
    plan = {
        "home": home,
        "digest": wanted.digest,
        "uv": uv,
        "python": python,
        "wheels": f"{home}/wheels/{wanted.digest}",
        "wheel": wanted.wheel_name,
        "pins": wanted.pins,
        "overrides": wanted.overrides,
        "offline": False,
    }
    say(f"Installing {len(wanted.packages)} packages on {host}.")
    result = await _run(host, python, plan)
    if result["state"] == "no_index" and _alike(facts):
        if python == facts.python and (unfit := wanted.unfit(facts.python_version or "")):
            raise _failure(host, facts, {"state": "failed", "message": unfit})
        await _copy_all(host, wanted, str(plan["wheels"]), say)
        say(f"Installing the hub's packages on {host}.")
        result = await _run(host, python, plan | {"offline": True})
    if result["state"] != "ready":
        raise _failure(host, facts, result)
    if different := result.get("differing"):
        say(f"On {host} versions differ from the hub's: {', '.join(different)}")


async def _run(host: NodeHost, python: str, plan: dict[str, object]) -> dict[str, str]:
    source = Path(on_host.__file__).read_text().partition('if __name__ == "__main__":')[0]
    source += f"main({json.dumps(plan)!r})\n"
    done = await host.run([python, "-I", "-"], input=source, timeout=TIMEOUT)
    found = scripts.answers(done.out).get("result")
    if found is None:
        return {"state": "failed", "message": done.err or done.out}
    result: dict[str, str] = json.loads(found)
    return result


async def _copy_all(host: NodeHost, wanted: Bundle, folder: str, say: Say) -> None:
    """Send the hub's own packages: the next is written while one is on its way."""
    say(f"{host} reaches no package index: copying {_size(wanted.size)} from here.")
    files = host.files()
    await files.mkdir(folder)
    there = {file.name for file in await files.list(folder)}
    with scratch("wheels") as made:
        sending: asyncio.Task[float] | None = None
        compress = True
        try:
            for package in wanted.packages:
                wheel = await asyncio.to_thread(write_wheel, package, made, compress)
                if sending is not None:
                    compress = await sending < FAST
                if wheel.name not in there:
                    sending = asyncio.create_task(_send(files, wheel, folder))
            if sending is not None:
                await sending
        finally:
            if sending is not None:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)


async def _send(files: NodeFiles, wheel: Path, folder: str) -> float:
    """Send a wheel and remove it here; bytes per second."""
    size, begun = wheel.stat().st_size, time.monotonic()
    await files.put_file(wheel, f"{folder}/{wheel.name}", mode=0o600)
    wheel.unlink()
    return size / (time.monotonic() - begun)


def _failure(host: NodeHost, facts: HostFacts, result: dict[str, str]) -> PerijoveError:
    state, said = result["state"], _last(result.get("message", ""), 12)
    if state == "full":
        return _full(host)
    if state == "denied":
        return _not_made(host, said)
    if state == "no_index":
        return Conflict(
            f"{host} reaches no package index, and the hub's own packages do not run on its"
            f" {facts.machine} machine.",
            field="host",
            remedy="Give it a way to an index; an ~/.config/uv/uv.toml there is heeded.",
        )
    python = facts.python_version or "Python"
    return Conflict(
        f"The packages cannot be installed on {host} ({python}): {said}",
        field="host",
        remedy=f"The hub has Python {platform.python_version()}; the same there will do.",
    )


def _full(host: NodeHost) -> PerijoveError:
    return Conflict(
        f"The disk of {host} became full while its environment was made.",
        remedy="Free some space there.",
    )


def _not_made(host: NodeHost, said: str) -> PerijoveError:
    if any(sign in said for sign in on_host.SIGNS["full"]):
        return _full(host)
    return Conflict(
        f"~/{HOME} cannot be made on {host}: {_last(said)}",
        field="host",
        remedy="Give the user a home folder that is its own.",
    )


def _last(text: str, lines: int = 3) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"
