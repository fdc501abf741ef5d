"""A cluster's own certificate: nobody else has one, so nobody else gets in.

Scheduler, nodes and clients show the same self-signed certificate, and trust only it.
"""

from __future__ import annotations

import os
from pathlib import Path

from distributed.security import Security

CERTIFICATE, KEY = "cluster.pem", "cluster.key"


def make_certificate(folder: Path) -> None:
    """Make key and certificate, unless they are there."""
    if (folder / KEY).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    made = Security.temporary()
    for name, text in ((CERTIFICATE, made.tls_ca_file), (KEY, made.tls_scheduler_key)):
        partial = folder / f".{name}.{os.getpid()}"
        partial.touch(0o600)
        partial.write_text(text)
        partial.replace(folder / name)


def security(folder: Path) -> Security:
    """Dask's security object for everybody in the cluster."""
    certificate, key = str(folder / CERTIFICATE), str(folder / KEY)
    return Security(
        tls_ca_file=certificate,
        require_encryption=True,
        **{f"tls_{role}_{part}": path
           for role in ("scheduler", "worker", "client")
           for part, path in (("cert", certificate), ("key", key))},
    )  # fmt: skip
