"""A shell on a host, by the system's own ssh."""

from __future__ import annotations

import shlex
from pathlib import Path

from perijove.compute.ssh.login import CONNECT, KEEPALIVE, KEEPALIVE_MISSES
from perijove.errors import InvalidInput
from perijove.models.ssh import SshAddress
from perijove.writing import replace_file

ALIAS = "perijove"
"""The name that the pinned key has in our own file of known hosts."""


def shell_argv(address: SshAddress, folder: Path, *command: str) -> list[str]:
    """The ssh command for a shell (or `command`) there, with the same key, pin and way.

    `folder` is the host's own on this machine; the pin is written into it.

    Raises
    ------
    InvalidInput: no host key is pinned.
    """
    if address.host_key is None:
        raise InvalidInput(f"The host key of {address} is not known yet.", field="host_key")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    known = folder / "known_hosts"
    replace_file(known, f"{ALIAS} {address.host_key}\n")
    return [
        "ssh",
        *("-o", f'UserKnownHostsFile="{known}"', "-o", "GlobalKnownHostsFile=none"),
        *("-o", f"HostKeyAlias={ALIAS}", "-o", "StrictHostKeyChecking=yes"),
        *("-o", "UpdateHostKeys=no", "-o", "CheckHostIP=no"),
        *("-o", "ForwardAgent=no", "-o", "ClearAllForwardings=yes"),
        *("-o", f"ServerAliveInterval={KEEPALIVE:.0f}"),
        *("-o", f"ServerAliveCountMax={KEEPALIVE_MISSES}"),
        *("-o", f"ConnectTimeout={CONNECT:.0f}"),
        *(("-i", address.identity_file) if address.identity_file else ()),
        *(("-J", address.proxy_jump) if address.proxy_jump else ()),
        *(("-p", str(address.port)) if address.port else ()),
        *(("-l", address.user) if address.user else ()),
        *(("-t",) if not command else ()),
        *("--", address.host),
        *((shlex.join(command),) if command else ()),
    ]
