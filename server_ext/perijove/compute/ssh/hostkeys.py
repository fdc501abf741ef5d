"""The keys by which hosts are known: shown, compared, and insisted on."""

from __future__ import annotations

from shlex import quote

import asyncssh

from perijove.compute.ssh.configured import configured, known_keys, known_name
from perijove.compute.ssh.explain import explain
from perijove.compute.ssh.login import OPTIONS, connect_jumps, explain_login, keys_of
from perijove.errors import Conflict, InvalidInput, PerijoveError, Unreachable
from perijove.models.ssh import HostKey, SshAddress, check_host_key

TYPES = (
    ["ssh-ed25519"],
    ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"],
    ["rsa-sha2-512", "rsa-sha2-256"],
)
"""Algorithms to ask for, one kind of key each, the preferred one first."""
NO_KEY = (asyncssh.KeyExchangeFailed, asyncssh.ConnectionLost, ConnectionResetError)
"""How a host says that it has no key of the kind asked for: the reset may overtake the message."""


def fingerprint(line: str) -> str:
    """``SHA256:…`` of a public key's line, as ``ssh-keygen -l`` prints it.

    Raises
    ------
    ValueError: it is no public key.
    """
    return asyncssh.import_public_key(check_host_key(line)).get_fingerprint()


async def scan(address: SshAddress) -> list[HostKey]:
    """The host keys that the address shows, unverified, the preferred one first.

    Raises
    ------
    Unreachable: nothing answers, or not as an SSH server.
    InvalidInput: a host on the way does not let the hub in.
    """
    jump = await connect_jumps(address)
    try:
        found = [await _ask(address, kinds, jump) for kinds in TYPES]
    finally:
        if jump is not None:
            jump.close()
    if keys := [key for key in found if isinstance(key, HostKey)]:
        return keys
    raise next(
        (error for error in found if isinstance(error, PerijoveError)),
        Unreachable(f"{address} shows no host key that the hub understands.", field="host"),
    )


async def _ask(
    address: SshAddress, kinds: list[str], jump: asyncssh.SSHClientConnection | None
) -> HostKey | PerijoveError | None:
    try:
        key = await asyncssh.get_server_host_key(
            address.host, address.port or (), tunnel=jump, server_host_key_algs=kinds
        )
    except asyncssh.KeyExchangeFailed:  # it has no key of this kind
        return None
    except (OSError, ValueError, asyncssh.Error) as error:
        return explain(error, str(address))
    if key is None:
        return None
    line = check_host_key(key.export_public_key().decode())
    return HostKey(type=line.split(" ")[0], line=line, fingerprint=key.get_fingerprint())


async def show(address: SshAddress) -> tuple[HostKey, bool]:
    """The key to confirm, and whether the user's ``~/.ssh/known_hosts`` has it already.

    Raises
    ------
    Conflict: it has another one for the host. Else as `scan`.
    """
    keys = await scan(address)
    options = await configured(address)
    trusted, revoked = known_keys(options)
    for key in keys:
        if key.line in trusted - revoked:
            return key, True
    if trusted or keys[0].line in revoked:
        raise Conflict(
            f"{address} shows the host key {keys[0].fingerprint}, and that is not the one in"
            " ~/.ssh/known_hosts. Somebody may stand in between.",
            field="host_key",
            remedy=f"If the machine was set up anew: ssh-keygen -R {quote(known_name(options))},"
            " and again.",
        )
    return keys[0], False


class _Watcher(asyncssh.SSHClient):
    """Notes the host key that was shown and is not the pinned one."""

    shown: asyncssh.SSHKey | None = None

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        self.shown = key
        return False


async def connect(address: SshAddress) -> asyncssh.SSHClientConnection:
    """A connection, logged in; closing it closes the ones to the hosts jumped over.

    Raises
    ------
    Unreachable: nothing answers there, or nothing that speaks SSH.
    Conflict: the host shows another key than the pinned one.
    InvalidInput: no pin, or a key that is missing, locked, or not let in.
    """
    if address.host_key is None:
        raise InvalidInput(
            f"The host key of {address} is not known yet.",
            field="host_key",
            remedy="Compare its fingerprint, and attach the host with it.",
        )
    pinned = asyncssh.import_public_key(address.host_key)
    keys = await keys_of(address)
    jump = await connect_jumps(address)
    watcher = _Watcher()
    try:
        connection = await asyncssh.connect(
            address.host,
            address.port or (),
            username=address.user or (),
            tunnel=jump,
            known_hosts=([pinned], [], []),
            client_factory=lambda: watcher,
            **keys,
            **OPTIONS,
        )
    except BaseException as error:
        if jump is not None:
            jump.close()
        if isinstance(error, asyncssh.HostKeyNotVerifiable) and watcher.shown is not None:
            raise _changed(address, pinned, watcher.shown) from error
        if isinstance(error, NO_KEY):
            raise await _other_keys(address, pinned, error) from error
        if isinstance(error, Exception):
            raise await explain_login(error, address) from error
        raise
    connection.set_tunnel(jump)
    return connection


def _changed(address: SshAddress, pinned: asyncssh.SSHKey, shown: asyncssh.SSHKey) -> PerijoveError:
    """The host is not who it was."""
    return Conflict(
        f"The host key of {address} has changed: it shows {shown.get_fingerprint()}, pinned is"
        f" {pinned.get_fingerprint()}. Somebody may stand in between.",
        field="host_key",
        remedy="If the machine was set up anew, attach it again and compare the fingerprint.",
    )


async def _other_keys(
    address: SshAddress, pinned: asyncssh.SSHKey, error: Exception
) -> PerijoveError:
    """A host without a key of the pinned type: which ones has it?"""
    try:
        found = await scan(address)
    except PerijoveError as other:
        return other
    if any(key.line == address.host_key for key in found):
        return explain(error, str(address))
    return _changed(address, pinned, asyncssh.import_public_key(found[0].line))
