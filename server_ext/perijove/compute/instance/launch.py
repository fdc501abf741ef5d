"""What a kernel is launched with: its process, and its connection."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from perijove.compute.instance.environments import Command
from perijove.models.kernels import CONNECTION_FILE, PORTS, Connection, KernelLaunch, KernelRequest


def launch_of(folder: Path, request: KernelRequest, command: Command) -> KernelLaunch:
    """The process of a kernel whose files are in `folder`."""
    connection_file = str(folder / CONNECTION_FILE)
    # JPY_*: those of the server that started us; a kernel would end with the process they name
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("JPY_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    cwd = os.path.expanduser(request.cwd or "~")
    return KernelLaunch(
        argv=[part.replace("{connection_file}", connection_file) for part in command.argv],
        cwd=cwd if os.path.isdir(cwd) else os.path.expanduser("~"),
        environ=ours | command.environ | request.environ,
    )


def _free_ports(ip: str, count: int) -> list[int]:
    listeners = [socket.socket() for _ in range(count)]
    try:
        for listener in listeners:
            listener.bind((ip, 0))
        return [int(listener.getsockname()[1]) for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()


def are_free(connection: Connection) -> bool:
    """Can all of its ports be listened on?"""
    for port in connection.ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((connection.ip, port))
            except OSError:
                return False
    return True


def new_connection(ip: str, encrypt: bool) -> Connection:
    """Free ports and new keys."""
    from jupyter_client.session import new_id

    keys: dict[str, str] = {}
    if encrypt:
        # on loopback too: every user of the machine can connect there, and listen
        from zmq import curve_keypair

        public, secret = curve_keypair()
        keys = {"curve_publickey": public.decode(), "curve_secretkey": secret.decode()}
    return Connection(
        ip=ip,
        key=new_id(),
        **dict(zip(PORTS, _free_ports(ip, len(PORTS)), strict=True)),
        **keys,
    )
