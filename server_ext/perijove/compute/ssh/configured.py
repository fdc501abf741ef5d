"""What the user's ``~/.ssh`` says of a host: how it is reached, and which keys are its own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import asyncssh

from perijove.compute.ssh.explain import explain
from perijove.errors import InvalidInput
from perijove.models.ssh import HOPS, Place, SshAddress, check_host_key, parse_place

Options = asyncssh.SSHClientConnectionOptions

DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
"""Of the user's ``~/.ssh``."""


async def configured(place: Place | SshAddress) -> Options:
    """The options of a connection there, as ``~/.ssh/config`` has them. No key is read.

    Raises
    ------
    InvalidInput: the configuration cannot be read.
    """
    try:
        # asyncssh's own default for `config` is to read none here
        found: Options = await Options.construct(
            config=(),
            host=place.host,
            port=place.port or (),
            username=place.user or (),
            client_keys=None,
        )
        return found
    except (ValueError, OSError, RecursionError) as error:
        raise explain(error, place) from error


async def way_to(address: SshAddress) -> list[Place]:
    """The hosts to jump over, the nearest first; those that lead to the first one too, as ssh goes.

    Raises
    ------
    InvalidInput: the configuration cannot be read, or leads in a circle.
    """
    options = await configured(address)
    seen = [_spot(options)]
    way = hops = address.jumps or await _jumps(options)
    while hops:
        options = await configured(hops[0])
        if _spot(options) in seen or len(way) > HOPS:
            circle = " → ".join(host for host, _ in [*seen, _spot(options)])
            raise InvalidInput(
                f"The way to {address} leads in a circle, or over too many hosts: {circle}.",
                field="proxy_jump" if address.jumps else "host",
                remedy="See ProxyJump in ~/.ssh/config.",
            )
        seen.append(_spot(options))
        hops = await _jumps(options)
        way = [*hops, *way]
    return way


async def _jumps(options: Options) -> list[Place]:
    text = options.tunnel if isinstance(options.tunnel, str) else ""
    try:
        hops = [parse_place(hop) for hop in text.split(",") if hop and hop != "none"]
    except ValueError as error:
        raise explain(error, options.host) from error
    # what is said of all hosts is said of the one to jump over too: that one is near
    itself = bool(hops) and _spot(await configured(hops[0])) == _spot(options)
    return [] if itself else hops


def _spot(options: Options) -> tuple[str, int]:
    return options.host, options.port


def identity_files(options: Options) -> list[Path] | None:
    """The private keys that the configuration names, as far as they are there, as ssh does.

    None: it names none, and the usual ones are used.
    """
    named = cast(Sequence[str], options.config.get("IdentityFile", ()))
    paths = [Path(name).expanduser() for name in named]
    return [path for path in paths if path.is_file()] if named else None


def usual_files() -> list[Path]:
    """The private keys that are used where none is named."""
    return [Path.home() / ".ssh" / name for name in DEFAULT_KEYS]


def is_locked(path: Path) -> bool:
    """Does the private key want a passphrase?"""
    try:
        asyncssh.read_private_key(path)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        return "passphrase" in str(error).lower()
    except OSError:
        pass
    return False


def known_name(options: Options) -> str:
    """What known_hosts calls the host."""
    if options.host_key_alias:
        return str(options.host_key_alias)
    usual = options.port == asyncssh.DEFAULT_PORT
    return options.host if usual else f"[{options.host}]:{options.port}"


def known_keys(options: Options) -> tuple[set[str], set[str]]:
    """The keys that the user's known_hosts has for the host, and those that it says are revoked.

    A file that cannot be read has none.
    """
    files = options.known_hosts
    listed = files if isinstance(files, list) and files else ["~/.ssh/known_hosts"]
    host = known_name(options)
    trusted: set[str] = set()
    revoked: set[str] = set()
    for file in listed if files is not None else []:
        with suppress(OSError, ValueError):
            known = asyncssh.read_known_hosts(str(Path(str(file)).expanduser()))
            keys, _, refused, *_ = known.match(host, "", None)
            trusted |= {check_host_key(key.export_public_key().decode()) for key in keys}
            revoked |= {check_host_key(key.export_public_key().decode()) for key in refused}
    return trusted, revoked
