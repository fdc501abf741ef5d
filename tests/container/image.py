"""An image made of parts of this machine: the tests' Python, a shell, and what they load.

There is no registry to pull from. What is in it is what a slim image of Python has.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

TOOLS = (
    *("sh", "bash", "env", "ls", "cat", "cut", "head", "tail", "grep", "sed", "awk", "touch"),
    *("mkdir", "rm", "mv", "chmod", "df", "id", "uname", "nproc", "getconf", "sleep", "setsid"),
)
BASE = Path(sys.base_prefix).resolve()
LIBRARY = BASE / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
LEFT_OUT = {"site-packages", "test", "idlelib", "tkinter", "ensurepip", "lib2to3", "__pycache__"}
RUNTIMES = (
    *("libgcc_s.so.1", "libstdc++.so.6", "librt.so.1", "libdl.so.2", "libpthread.so.0"),
    *("libm.so.6", "libutil.so.1", "libresolv.so.2", "libnss_files.so.2", "libnss_dns.so.2"),
)
"""What compiled programs load besides: any image with a C library has it."""
PASSWD = "root:x:0:0:root:/root:/bin/sh\n"


def unusable() -> str | None:
    """Why there can be no image here."""
    if shutil.which("podman") is None:
        return "podman is not installed: scripts/ensure-machines"
    if sys.platform != "linux":
        return "an image is made of parts of a Linux machine"
    return None


def make_image(name: str, python: bool = True) -> None:
    """Import it into podman; without Python it has no more than a C library and a shell."""
    path = f"{BASE / 'bin'}:/usr/bin:/bin"
    process = subprocess.Popen(
        ["podman", "import", "--quiet", "--change", f"ENV PATH={path}", "-", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    with process.stdin as pipe:
        _write(pipe, python)
    said = process.stderr.read().decode()
    assert process.wait() == 0, said


def remove_image(name: str) -> None:
    """Remove it, with containers that were left."""
    subprocess.run(["podman", "rmi", "-f", name], check=False, capture_output=True)


def copy_node(node: Path, folder: Path) -> None:
    """Put a prepared environment (see ``ssh.hosts.prepared_node``) there, by links."""
    folder.mkdir(parents=True, mode=0o700)
    shutil.copytree(node, folder, symlinks=True, copy_function=os.link, dirs_exist_ok=True)


def _write(pipe: IO[bytes], python: bool) -> None:
    with tarfile.open(fileobj=pipe, mode="w|") as tar:
        for folder in ("tmp", "root", "proc", "sys", "dev", "run", "var"):
            made = tarfile.TarInfo(folder)
            made.type, made.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(made)
        # as Debian has it; the last one is where a prepared node (`ssh.hosts`) has its Python
        links = {name: f"usr/{name}" for name in ("bin", "lib", "lib64")}
        for link, target in (links | {"srv/python": str(BASE)}).items():
            made = tarfile.TarInfo(link)
            made.type, made.linkname = tarfile.SYMTYPE, target
            tar.addfile(made)
        for path in sorted({*_files(python)}):
            name = re.sub("^/(bin|lib|lib64)/", r"/usr/\1/", path)
            tar.add(path, name.lstrip("/"), recursive=False)
        text = io.BytesIO(PASSWD.encode())
        made = tarfile.TarInfo("etc/passwd")
        made.size, made.mode = len(PASSWD), 0o644
        tar.addfile(made, text)


def _files(python: bool) -> Iterator[str]:
    """Files, and links on the way to them, by the names they have here."""
    programs = [path for tool in TOOLS if (path := shutil.which(tool, path="/usr/bin:/bin"))]
    libraries: list[Path] = []
    if python:
        programs.append(str(BASE / "bin" / "python3"))
        for folder, inner, names in os.walk(LIBRARY):
            inner[:] = [each for each in inner if each not in LEFT_OUT]
            found = [Path(folder, each) for each in names]
            yield from map(str, found)
            libraries += [each for each in found if each.suffix == ".so"]
    for program in programs:
        yield from _links(program)
    libraries += [path for name in RUNTIMES if (path := _folder() / name).exists()]
    for library in _loaded([*programs, *map(str, libraries)]).union(map(str, libraries)):
        yield from _links(library)


def _links(path: str) -> Iterator[str]:
    yield path
    while os.path.islink(path):
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
        yield path


def _loaded(files: Iterable[str]) -> set[str]:
    """Shared libraries that the files load."""
    said = subprocess.run(["ldd", *files], capture_output=True, text=True, check=False).stdout
    return set(re.findall(r"(/\S+) \(0x", said))


def _folder() -> Path:
    """Where the C library lies."""
    (found,) = (Path(path) for path in _loaded(["/bin/sh"]) if "libc.so" in path)
    return found.parent
