"""Wheels made from what is installed here, for machines that shall have the same.

A machine without a way to a package index gets all it needs from us, as long as it is of our
kind: what a node consists of, and the environments that are built there. Our own package comes
from us always; an editable installation gives the same wheel.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag
from packaging.utils import canonicalize_name

import perijove
from perijove.compute.scratch import scratch
from perijove.errors import Conflict
from perijove.models.environments import DONE, VENV

HUB_ONLY = frozenset(
    {"asyncssh", "bokeh", "jupyter-server", "jupyterlab", "dask-jobqueue", "voila"}
)
"""What Perijove needs where its hub and JupyterLab are, and not where jobs run."""
LEFT_OUT = frozenset({"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json"})
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The same contents make the same file."""
OURS = "perijove"
PIECE = 1 << 18


@dataclass(frozen=True)
class Bundle:
    """What a node has to have."""

    wheel: bytes
    """Our own package."""
    wheel_name: str
    packages: tuple[metadata.Distribution, ...]
    """All others, as they are installed here, by name."""
    size: int
    """Bytes that all of it takes, unpacked."""
    digest: str
    """Differs when anything of this does, or the Python's minor version."""

    @property
    def pins(self) -> str:
        """A constraints file."""
        names = ((canonicalize_name(package.name), package) for package in self.packages)
        return "".join(f"{name}=={package.version}\n" for name, package in names)

    @property
    def overrides(self) -> str:
        """Says that what only a hub needs is not needed."""
        return "".join(f"{name} ; python_version < '0'\n" for name in sorted(HUB_ONLY))

    def unfit(self, python: str) -> str | None:
        """The first package, as it is installed here, that such a Python cannot have."""
        minor = int(python.split(".")[1])
        for package in self.packages:
            asked = package.metadata.json.get("requires_python")
            if isinstance(asked, str) and not SpecifierSet(asked).contains(python):
                return f"{package.name} {package.version} needs Python {asked}."
            tags = _tags(package)
            if tags and not any(_runs(tag, minor) for tag in tags):
                here = ".".join(map(str, sys.version_info[:2]))
                return f"{package.name} {package.version} is compiled here for Python {here} only."
        return None


def _runs(tag: Tag, minor: int) -> bool:
    """Is a wheel with this tag for such a Python 3?"""
    if tag.interpreter.startswith("py3"):
        return tag.interpreter == "py3" or int(tag.interpreter[3:]) <= minor
    if not re.fullmatch(r"cp3\d+", tag.interpreter):
        return False
    lowest = int(tag.interpreter[3:])
    return lowest == minor or (tag.abi in ("abi3", "none") and lowest <= minor)


@functools.cache
def bundle() -> Bundle:
    """What runs here: computed once, because that is what this process goes on to run."""
    own = metadata.distribution(OURS)
    name, wheel = f"{OURS}-{own.version}-py3-none-any.whl", _own_wheel(own)
    packages = tuple(_needed(own))
    size = sum(_size(package) for package in packages)
    text = "\n".join([f"{package.name}=={package.version}" for package in packages])
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(wheel + f"{python}\n{text}".encode()).hexdigest()[:16]
    return Bundle(wheel, name, packages, size, digest)


def write_wheel(package: metadata.Distribution, folder: Path, compress: bool = True) -> Path:
    """A wheel of an installed package, in `folder`; packing takes a second for every 15 MB.

    Raises
    ------
    Conflict: it was not installed from a wheel, so nobody knows what belongs to it.
    """
    _check(package)
    tags = _tags(package)
    parts = zip(*(str(tag).split("-") for tag in tags), strict=True)
    tag = "-".join(".".join(dict.fromkeys(part)) for part in parts)
    stem = f"{_stem(package)}-{package.version}"
    path = folder / f"{stem}-{tag}.whl"
    with path.open("wb") as file:
        _write(file, stem, _contents(package, stem), compress)
    return path


def packed(folder: Path) -> Iterator[bytes]:
    """A tar archive of wheels: all that is in an environment, which was built in `folder`.

    Raises
    ------
    Conflict: it is not complete, or a package of its was not installed from a wheel.
    """
    if not (folder / DONE).exists():
        raise Conflict("The environment is not built on the hub's machine.", field="environment")
    places = [str(path) for path in (folder / VENV).glob("lib/python3*/site-packages")]
    packages = list(metadata.distributions(path=places))
    for package in packages:
        _check(package)
    return _packed(packages)


def _packed(packages: list[metadata.Distribution]) -> Iterator[bytes]:
    with scratch("wheels") as folder:
        for package in packages:
            wheel = write_wheel(package, folder)
            info = tarfile.TarInfo(wheel.name)
            info.size = wheel.stat().st_size
            yield info.tobuf()
            with wheel.open("rb") as file:
                yield from iter(lambda: file.read(PIECE), b"")
            yield bytes(-info.size % tarfile.BLOCKSIZE)
            wheel.unlink()
    yield bytes(2 * tarfile.BLOCKSIZE)


def _check(package: metadata.Distribution) -> None:
    if not _tags(package) or package.files is None:
        raise Conflict(
            f"The package {package.name} was not installed from a wheel, so it cannot be copied.",
            remedy="Install it with pip or uv, or give the machine a way to a package index.",
        )


def _tags(package: metadata.Distribution) -> list[Tag]:
    """What the wheel runs on that it was installed from, in its own order; none: from no wheel."""
    return [
        tag
        for line in (package.read_text("WHEEL") or "").splitlines()
        if line.startswith("Tag:")
        for tag in [Tag(*line.partition(":")[2].strip().split("-", 2))]
    ]


def _own_wheel(own: metadata.Distribution) -> bytes:
    stem = f"{OURS}-{own.version}"
    root = Path(perijove.__file__).parent

    def contents() -> Iterator[tuple[str, bytes]]:
        for path in sorted(root.rglob("*")):
            inner = path.relative_to(root)
            if inner.parts[0] == "labextension" or "__pycache__" in inner.parts:
                continue
            if path.is_file():
                yield f"{OURS}/{inner.as_posix()}", path.read_bytes()
        for name in ("METADATA", "entry_points.txt"):
            yield f"{stem}.dist-info/{name}", (own.read_text(name) or "").encode()
        wheel = (
            "Wheel-Version: 1.0\nGenerator: perijove\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        yield f"{stem}.dist-info/WHEEL", wheel.encode()

    made = io.BytesIO()
    _write(made, stem, contents())
    return made.getvalue()


def _contents(package: metadata.Distribution, stem: str) -> Iterator[tuple[str, bytes]]:
    """Files under the names that they have in a wheel."""
    scripts = {point.name for point in package.entry_points if "_scripts" in point.group}
    for found in package.files or ():
        path = Path(str(package.locate_file(found)))
        if found.parts[0] == "..":
            inner = Path(*(part for part in found.parts if part != ".."))
            if inner.parts[0] in ("bin", "Scripts"):
                if inner.stem in scripts or inner.name in scripts:
                    continue
                script = path.read_bytes()
                # installers put their own Python there
                yield (
                    f"{stem}.data/scripts/{inner.name}",
                    re.sub(rb"\A#!.*python[^\n]*", b"#!python", script),
                )
            else:
                yield f"{stem}.data/data/{inner.as_posix()}", path.read_bytes()
            continue
        if found.suffix == ".pyc" or (
            found.parts[0].endswith(".dist-info") and found.name in LEFT_OUT
        ):
            continue
        name = found.as_posix()
        if found.parts[0].endswith(".dist-info"):
            name = "/".join([f"{stem}.dist-info", *found.parts[1:]])
        yield name, path.read_bytes()


def _write(
    file: IO[bytes], stem: str, contents: Iterator[tuple[str, bytes]], compress: bool = True
) -> None:
    record = []
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", method, compresslevel=1) as archive:
        for name, data in contents:
            info = zipfile.ZipInfo(name, EPOCH)
            info.external_attr = (0o755 if ".data/scripts/" in name else 0o644) << 16
            archive.writestr(info, data, method, 1)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
            record.append(f"{_csv(name)},sha256={digest.decode()},{len(data)}")
        name = f"{stem}.dist-info/RECORD"
        archive.writestr(zipfile.ZipInfo(name, EPOCH), "\n".join([*record, f"{name},,", ""]))


def _needed(own: metadata.Distribution) -> list[metadata.Distribution]:
    """What our package needs on a node, and what that needs, as far as it is installed here."""
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [
        need
        for need in map(Requirement, own.requires or ())
        if canonicalize_name(need.name) not in HUB_ONLY and _applies(need, "")
    ]
    while waiting:
        need = waiting.pop()
        name = canonicalize_name(need.name)
        for extra in ("", *need.extras):
            if (name, extra) in seen or name in HUB_ONLY:
                continue
            seen.add((name, extra))
            try:
                package = found.setdefault(name, metadata.distribution(need.name))
            except metadata.PackageNotFoundError:  # uv says so, where it matters
                continue
            waiting += [
                need for need in map(Requirement, package.requires or ()) if _applies(need, extra)
            ]
    return [found[name] for name in sorted(found)]


def _applies(need: Requirement, extra: str) -> bool:
    return need.marker is None or need.marker.evaluate({"extra": extra})


def _size(package: metadata.Distribution) -> int:
    return sum(file.size or 0 for file in package.files or ())


def _stem(package: metadata.Distribution) -> str:
    return re.sub(r"[-_.]+", "_", package.name)


def _csv(name: str) -> str:
    return f'"{name}"' if "," in name else name
