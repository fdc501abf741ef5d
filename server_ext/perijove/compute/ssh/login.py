"""Logging in: the keys that are offered, and the hosts on the way."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

import asyncssh

from perijove.compute.ssh.configured import (
    configured,
    identity_files,
    is_locked,
    known_keys,
    known_name,
    usual_files,
    way_to,
)
from perijove.compute.ssh.explain import explain
from perijove.errors import Conflict, InvalidInput, PerijoveError
from perijove.models.ssh import Place, SshAddress

KEEPALIVE, KEEPALIVE_MISSES = 5.0, 3
"""Seconds between two signs of life, and how many may stay out before the way counts as cut."""
CONNECT, LOGIN = 15.0, 20.0
"""Seconds for reaching a host, and for logging in."""

# nobody is asked for anything, and nothing of ours is lent to the host
OPTIONS: dict[str, Any] = {
    "agent_forwarding": False,
    "password_auth": False,
    "kbdint_auth": False,
    "gss_auth": False,
    "gss_kex": False,
    "host_based_auth": False,
    "x509_trusted_certs": None,
    "connect_timeout": CONNECT,
    "login_timeout": LOGIN,
    "keepalive_interval": KEEPALIVE,
    "keepalive_count_max": KEEPALIVE_MISSES,
}


async def connect_jumps(address: SshAddress) -> asyncssh.SSHClientConnection | None:
    """A connection to the last host to jump over; None: there is none.

    Their keys must be in ``~/.ssh/known_hosts``, as for the ssh command.

    Raises
    ------
    Unreachable, InvalidInput, Conflict: as `connect`, naming the host on the way.
    """
    last: asyncssh.SSHClientConnection | None = None
    for hop in await way_to(address):
        there = SshAddress(host=str(hop), identity_file=address.identity_file)
        try:
            following = await asyncssh.connect(
                hop.host,
                hop.port or (),
                username=hop.user or (),
                tunnel=last,
                **await keys_of(there),
                **OPTIONS,
            )
        except BaseException as error:
            if last is not None:
                last.close()
            if isinstance(error, asyncssh.HostKeyNotVerifiable):
                raise await _unknown(hop, address) from error
            if isinstance(error, Exception):
                raise await explain_login(
                    error, there, f"{hop}, on the way to {address},"
                ) from error
            raise
        following.set_tunnel(last)
        last = following
    return last


async def _unknown(hop: Place, address: SshAddress) -> PerijoveError:
    """Of a host on the way: its key is another one than the user knows, or there is none."""
    options = await configured(hop)
    if any(known_keys(options)):
        return Conflict(
            f"The host key of {hop}, on the way to {address}, is not the one in"
            " ~/.ssh/known_hosts. Somebody may stand in between.",
            field="proxy_jump",
            remedy=f"If the machine was set up anew: ssh-keygen -R {quote(known_name(options))},"
            " log in there once, and compare its fingerprint.",
        )
    return InvalidInput(
        f"The key of {hop}, on the way to {address}, is not in ~/.ssh/known_hosts.",
        field="proxy_jump",
        remedy=f"Log in there once with ssh {hop}, and compare its fingerprint.",
    )


async def explain_login(error: Exception, address: SshAddress, place: str = "") -> PerijoveError:
    """As `explain`; who is not let in hears which key is locked."""
    if isinstance(error, asyncssh.PermissionDenied) and address.identity_file is None:
        files = identity_files(await configured(address)) or usual_files()
        if locked := [path for path in files if is_locked(path)]:
            return InvalidInput(
                f"{place or address} does not let the hub in with the keys it has, and"
                f" {locked[0]} is locked by a passphrase.",
                field="identity_file",
                remedy=_unlock(locked[0]),
            )
    return explain(error, place or address, address.identity_file)


def _unlock(key: Path) -> str:
    return f"Unlock it with ssh-add {key}, and start the hub with that agent's SSH_AUTH_SOCK."


async def keys_of(address: SshAddress) -> dict[str, Any]:
    """The keys to offer: the named one, or whatever ssh itself would.

    A locked one is used through the agent, which has to hold it.
    """
    if address.identity_file is None:
        files = identity_files(await configured(address))
        if files is None:
            return {}
        return {"client_keys": [str(path) for path in files], "ignore_encrypted": True}
    path = Path(address.identity_file).expanduser()
    try:
        return {"client_keys": [asyncssh.read_private_key(path)], "agent_path": None}
    except OSError as error:
        raise InvalidInput(
            f"The key {path} cannot be read: {error.strerror or error}.",
            field="identity_file",
            remedy="Name the file of a private key that the hub's machine has.",
        ) from error
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        if "passphrase" not in str(error).lower():
            raise InvalidInput(
                f"{path} is not a private key: {error}.", field="identity_file"
            ) from error
    locked = InvalidInput(
        f"The key {path} is locked by a passphrase, and no agent that the hub knows holds it.",
        field="identity_file",
        remedy=_unlock(path),
    )
    try:
        public = asyncssh.read_public_key(f"{path}.pub")
        async with asyncssh.connect_agent() as agent:
            if not await agent.get_keys([public.public_data]):
                raise locked
    except (OSError, asyncssh.KeyImportError, ValueError) as error:
        raise locked from error
    return {
        "client_keys": [str(path)],
        "ignore_encrypted": True,
        "agent_identities": [public.public_data],
    }
