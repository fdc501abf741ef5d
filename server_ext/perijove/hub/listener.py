"""The gate on the network: a TLS listener that the owner turns on for nodes of other machines.

It serves the gate and nothing else. Its certificate is the workspace's own; nodes are given it
and trust no other.
"""

from __future__ import annotations

import asyncio
import datetime
import socket
from contextlib import suppress
from pathlib import Path

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fastapi import FastAPI

from perijove.errors import Conflict, InvalidInput
from perijove.models.agents import GateAddress
from perijove.models.workspaces import WorkspaceFolder

CERTIFICATE, KEY, ADDRESS = "gate.pem", "gate.key", "listen"
YEARS = 10


class Listener:
    """See the module's docstring."""

    def __init__(self, folder: WorkspaceFolder, app: FastAPI) -> None:
        self._folder = folder.root
        self._app = app
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self.address: str | None = None

    @property
    def gate(self) -> GateAddress | None:
        """How nodes reach it; None: it is off."""
        if self.address is None:
            return None
        certificate = (self._folder / CERTIFICATE).read_text()
        return GateAddress(url=f"https://{self.address}", certificate=certificate)

    async def resume(self) -> None:
        """Listen where the last hub did."""
        with suppress(FileNotFoundError):
            await self.listen((self._folder / ADDRESS).read_text().strip())

    async def listen(self, address: str) -> str:
        """Listen on ``host[:port]``; returns it with the port. It is remembered.

        Raises
        ------
        InvalidInput: it is no address. Conflict: it is not this machine's, or it is taken.
        """
        host, port = _parse(address)
        if self.address is not None:
            here, _, at = self.address.rpartition(":")
            if here == _bracketed(host) and port in (0, int(at)):  # nodes know the port
                return self.address
        listener = _bind(host, port)
        await self.close()
        certificate, key = _certificate(self._folder)
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=1,
                ssl_certfile=str(certificate),
                ssl_keyfile=str(key),
            )
        )
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._serving = asyncio.create_task(self._server.serve([listener]))
        self.address = f"{_bracketed(host)}:{listener.getsockname()[1]}"
        (self._folder / ADDRESS).write_text(self.address)
        return self.address

    async def off(self) -> None:
        """Stop listening, for later hubs too."""
        (self._folder / ADDRESS).unlink(missing_ok=True)
        await self.close()

    async def close(self) -> None:
        """Stop listening; the next hub listens again."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await asyncio.gather(self._serving, return_exceptions=True)
        self._server = self._serving = self.address = None


def _parse(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        host, port = address, "0"
    host = host.strip("[]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InvalidInput(
            f"{address[:80]!r} is no address to listen on.",
            field="listen",
            remedy="Give an address of this machine that the nodes reach: ADDRESS[:PORT].",
        )
    return host, int(port)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(128)
    except (OSError, ValueError) as error:  # ValueError: it cannot be a name at all
        said = getattr(error, "strerror", None) or error
        raise Conflict(
            f"The hub cannot listen on {host[:80]} port {port}: {said}.",
            field="listen",
            remedy="Give an address of this machine and a free port.",
        ) from None
    return listener


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _certificate(folder: Path) -> tuple[Path, Path]:
    """The workspace's certificate and its key, made when they are first needed."""
    certificate, key = folder / CERTIFICATE, folder / KEY
    if certificate.exists() and key.exists():
        return certificate, key
    made = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "perijove-hub")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(made.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(made, hashes.SHA256())
    )
    key.touch(0o600)
    key.write_bytes(
        made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return certificate, key
