"""What it means when the door stays shut, and what to do about it."""

from __future__ import annotations

import errno
import os
import socket

import asyncssh

from perijove.errors import InvalidInput, PerijoveError, Unreachable
from perijove.models.ssh import Place, SshAddress


def explain(
    error: Exception, place: str | Place | SshAddress, identity_file: str | None = None
) -> PerijoveError:
    """What an error of asyncssh or of the network means, and what to do about it."""
    if isinstance(error, PerijoveError):
        return error
    if isinstance(error, asyncssh.PermissionDenied):
        offered = f"with the key {identity_file}" if identity_file else "with the keys it has"
        return InvalidInput(
            f"{place} does not let the hub in {offered}.",
            field="identity_file" if identity_file else "host",
            remedy="Check the user's name, and that the public key is in ~/.ssh/authorized_keys"
            " there.",
        )
    if isinstance(error, (asyncssh.KeyImportError, asyncssh.KeyEncryptionError)):
        return InvalidInput(f"A key for {place} cannot be used: {error}.", field="identity_file")
    if isinstance(error, RecursionError):
        return InvalidInput("~/.ssh/config includes itself.", field="host")
    if isinstance(error, ValueError):
        cut = "match condition" in str(error)  # asyncssh cuts every word of such a line at "="
        return InvalidInput(
            f"What ~/.ssh/config or known_hosts says of {place} cannot be read:"
            f" {str(error).rstrip('.')}.",
            field="host",
            remedy='A command of Match exec may have no "=": put it into a script.'
            if cut
            else None,
        )
    if isinstance(error, socket.gaierror):
        return Unreachable(
            f"The name of {place} is not known to this machine's resolver.",
            field="host",
            remedy="Check its spelling, or give the address.",
        )
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(
            f"{place} refuses the connection: no sshd listens on that port.",
            field="host",
            remedy="Start sshd there, or give its port as host:port.",
        )
    if isinstance(error, TimeoutError):  # asyncio's and the kernel's
        return Unreachable(
            f"{place} does not answer.",
            field="host",
            remedy="Check that it is on, and that no firewall is in between.",
        )
    if isinstance(error, OSError) and error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return Unreachable(
            f"There is no way to {place}: {os.strerror(error.errno)}.",
            field="host",
            remedy="Check that it is on, and that this machine's network is.",
        )
    if isinstance(error, OSError) and error.filename:
        return InvalidInput(
            f"{error.filename} cannot be used on the way to {place}: {error.strerror}.",
            field="host",
            remedy="See what ~/.ssh/config says of that machine.",
        )
    if isinstance(error, asyncssh.ChannelOpenError):
        return Unreachable(f"{place} cannot be reached: {error.reason}.", field="host")
    if isinstance(error, asyncssh.ConnectionLost):
        return Unreachable(
            f"{place} ended the connection.", field="host", remedy="See sshd's log there."
        )
    if isinstance(error, (asyncssh.KeyExchangeFailed, asyncssh.ProtocolError)):
        return Unreachable(
            f"{place} and the hub do not understand each other: {error}.",
            field="host",
            remedy="Check that the port is sshd's, and that it is of this decade.",
        )
    if isinstance(error, asyncssh.DisconnectError):
        return Unreachable(f"{place} ended the connection: {error.reason}.", field="host")
    return Unreachable(f"{place} cannot be reached: {error}.", field="host")
