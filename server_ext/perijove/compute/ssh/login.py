"""Logging in: the keys that are offered, and the hosts on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncssh

from perijove.compute.ssh.explain import explain
from perijove.errors import InvalidInput
from perijove.models.ssh import Place, SshAddress, parse_place

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
    Unreachable, InvalidInput: as `connect`, naming the host on the way.
    """
    hops = address.jumps or await _configured_jumps(address)
    last: asyncssh.SSHClientConnection | None = None
    keys = await keys_of(address) if hops else {}
    for hop in hops:
        try:
            following = await asyncssh.connect(
                hop.host,
                hop.port or (),
                username=hop.user or (),
                tunnel=last,
                **keys,
                **OPTIONS,
            )
        except BaseException as error:
            if last is not None:
                last.close()
            if isinstance(error, asyncssh.HostKeyNotVerifiable):
                raise InvalidInput(
                    f"The key of {hop}, on the way to {address}, is not in ~/.ssh/known_hosts.",
                    field="proxy_jump",
                    remedy=f"Log in there once with ssh {hop}, and compare its fingerprint.",
                ) from error
            if isinstance(error, Exception):
                raise explain(
                    error, f"{hop}, on the way to {address},", address.identity_file
                ) from error
            raise
        following.set_tunnel(last)
        last = following
    return last


async def _configured_jumps(address: SshAddress) -> list[Place]:
    """What ``~/.ssh/config`` says about the way."""
    try:
        # asyncssh's own default for `config` is to read none here
        options = await asyncssh.SSHClientConnectionOptions.construct(
            config=(), host=address.host, port=address.port or (), username=address.user or ()
        )
        text = options.tunnel if isinstance(options.tunnel, str) else ""
        return [parse_place(hop) for hop in text.split(",") if hop and hop != "none"]
    except (ValueError, OSError) as error:
        raise explain(error, str(address), address.identity_file) from error


async def keys_of(address: SshAddress) -> dict[str, Any]:
    """The keys to offer: the named one, or whatever ssh itself would.

    A locked one is used through the agent, which has to hold it.
    """
    if address.identity_file is None:
        return {}
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
    remedy = f"Unlock it with ssh-add {path}, and start the hub with that agent's SSH_AUTH_SOCK."
    locked = InvalidInput(
        f"The key {path} is locked by a passphrase, and no agent that the hub knows holds it.",
        field="identity_file",
        remedy=remedy,
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
