"""Machines reached over SSH: their address, their host key, and what they are."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import stat
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

HOST = re.compile(r"^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?$")
USER = re.compile(r"^[A-Za-z0-9_.][A-Za-z0-9_.@+-]{0,63}$")
HOPS = 8
"""Machines that one may have to pass on the way."""


class Place(NamedTuple):
    """One machine in ``[user@]host[:port]``."""

    host: str
    user: str | None
    port: int | None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.user}@" if self.user else ""
        return f"{user}{host}{f':{self.port}' if self.port else ''}"


def parse_place(text: str) -> Place:
    """``[user@]host[:port]``; an IPv6 address with a port stands in brackets.

    Raises
    ------
    ValueError: it is none of this.
    """
    user, at, rest = text.rpartition("@")
    if at and not USER.fullmatch(user):
        raise ValueError(f"{user[:80]!r} is not a user's name")
    host, port = rest, ""
    if rest.startswith("["):
        host, bracket, port = rest[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise ValueError("an IPv6 address must be written as [address] or [address]:port")
        _check_ipv6(host)
        port = port[1:] if port else ""
        if rest.endswith(":"):
            raise ValueError("a port must follow the colon")
    elif rest.count(":") == 1:
        host, _, port = rest.partition(":")
        if not port:
            raise ValueError("a port must follow the colon")
    elif ":" in rest:
        _check_ipv6(rest)
    if ":" not in host and not HOST.fullmatch(host):
        raise ValueError(f"{host[:80]!r} is not a host's name; write [user@]host[:port]")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise ValueError(f"a port must be a number from 1 to 65535, not {port[:80]!r}")
    return Place(host, user if at else None, int(port) if port else None)


def _check_ipv6(text: str) -> None:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        raise ValueError(f"{text[:80]!r} is not an IPv6 address") from None


def check_host_key(line: str) -> str:
    """A public key as in ``known_hosts``: its type and its base64 text, without a comment."""
    kind, _, rest = line.strip().partition(" ")
    text = rest.split(" ")[0]
    try:
        blob = base64.b64decode(text, validate=True)
    except binascii.Error:
        blob = b""
    if not kind or blob[4 : 4 + len(kind)] != kind.encode() or blob[:4] != _size(len(kind)):
        raise ValueError("a host key must be a line such as 'ssh-ed25519 AAAA…'")
    return f"{kind} {text}"


def _size(number: int) -> bytes:
    return number.to_bytes(4, "big")


def _check_jump(text: str) -> str:
    hops = text.split(",")
    if len(hops) > HOPS:
        raise ValueError(f"at most {HOPS} hosts may be jumped over")
    return ",".join(str(parse_place(hop.strip())) for hop in hops)


def _check_file(path: str) -> str:
    if not path or path.startswith("-") or any(ord(char) < 32 for char in path):
        raise ValueError("must be the path of a private key")
    return path


class SshAddress(BaseModel):
    """How a machine is reached.

    `host` may be an alias of ``~/.ssh/config``. It may be given as ``[user@]host[:port]``; what
    is in front of and behind the host then becomes `user` and `port`.
    """

    model_config = ConfigDict(extra="forbid")

    host: str
    user: str | None = Field(default=None, pattern=USER.pattern)
    port: int | None = Field(default=None, ge=1, le=65535)
    identity_file: Annotated[str, AfterValidator(_check_file)] | None = Field(
        default=None, description="private key; None: the agent's, the configured, the usual ones"
    )
    host_key: Annotated[str, AfterValidator(check_host_key)] | None = Field(
        default=None, description="the pinned key: 'ssh-ed25519 AAAA…'"
    )
    proxy_jump: Annotated[str, AfterValidator(_check_jump)] | None = Field(
        default=None, description="hosts on the way, as [user@]host[:port], with commas between"
    )

    @model_validator(mode="before")
    @classmethod
    def _split(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("host"), str):
            return data
        place = parse_place(data["host"].strip())
        found: dict[str, Any] = {"host": place.host}
        for name, value in (("user", place.user), ("port", place.port)):
            if value is None:
                continue
            if data.get(name) not in (None, value):
                raise ValueError(f"the {name} is given twice: {value} and {data[name]}")
            found[name] = value
        return data | found

    def __str__(self) -> str:
        return str(Place(self.host, self.user, self.port))

    @property
    def jumps(self) -> list[Place]:
        """The machines on the way, the nearest first."""
        return [parse_place(hop) for hop in self.proxy_jump.split(",")] if self.proxy_jump else []


class HostKey(BaseModel):
    """A host key as a machine shows it."""

    type: str
    line: str = Field(description="'ssh-ed25519 AAAA…', what is pinned")
    fingerprint: str = Field(description="'SHA256:…', what a person compares")


class HostFacts(BaseModel):
    """What a machine says of itself. Sizes in bytes."""

    os: str = Field(description="as `uname -s` says it: Linux, Darwin …")
    machine: str = Field(description="as `uname -m` says it: x86_64, aarch64 …")
    libc: str = Field(description="'gnu 2.36', 'musl', or nothing")
    hostname: str
    user: str
    home: str
    cpus: int
    memory: int
    gpus: int
    python: str | None = Field(description="a Python 3.11 or newer, the hub's own version first")
    python_version: str | None
    uv: str | None
    disk_free: int = Field(description="in the home folder")


class RemoteFile(BaseModel):
    """A file or folder on a host; what a link points at, where that exists."""

    name: str
    path: str = Field(description="absolute, or relative to the home folder, as it was asked for")
    kind: Literal["file", "folder", "other"]
    size: int = Field(description="bytes")
    modified: datetime
    mode: int = Field(description="its permissions, as chmod has them")

    @property
    def writable(self) -> bool:
        """By its owner?"""
        return bool(self.mode & stat.S_IWUSR)


class NodeInstall(BaseModel):
    """Our package on a host, ready to run."""

    python: str = Field(description="absolute path of the environment's Python")
    home: str = Field(description="absolute path of our folder there, for its owner only")
