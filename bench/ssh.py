"""No-op jobs on a machine over SSH: an sshd of our own on a loopback port, as root or as you.

The machine is prepared as every other one; what that leaves in ``~/.perijove-node`` is removed,
if it was not there before.
"""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import common

ROUNDS = 7
NODE = Path.home() / ".perijove-node"


@contextmanager
def sshd(folder: Path) -> Iterator[list[str]]:
    """An sshd; the options of ``perijove compute attach`` for it."""
    folder.mkdir()
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
        )
    shutil.copy(folder / "user.pub", folder / "authorized_keys")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    Path("/run/sshd").mkdir(exist_ok=True)
    program = shutil.which("sshd") or "/usr/sbin/sshd"
    settings = [
        f"Port={port}",
        "ListenAddress=127.0.0.1",
        f"HostKey={folder}/host",
        f"AuthorizedKeysFile={folder}/authorized_keys",
        "StrictModes=no",
        "UsePAM=no",
        "PidFile=none",
        "Subsystem=sftp internal-sftp",
    ]
    options = [word for setting in settings for word in ("-o", setting)]
    log = str(folder / "log")
    server = subprocess.Popen([program, "-D", "-E", log, "-f", "/dev/null", *options])
    try:
        time.sleep(1)
        yield [
            *("--host", f"{getpass.getuser()}@127.0.0.1:{port}"),
            *("--identity-file", str(folder / "user")),
            *("--host-key", " ".join((folder / "host.pub").read_text().split()[:2])),
        ]
    finally:
        server.terminate()
        server.wait()


def main() -> Iterator[str]:
    """The figures."""
    fresh = not NODE.exists()
    with (
        common.folder() as folder,
        sshd(folder / "sshd") as options,
        common.hub(folder / "home") as hub,
    ):
        work = folder / "work"
        work.mkdir()
        notebook = common.noop(work / "noop.ipynb")
        hub.warm(notebook)
        begun = time.perf_counter()
        hub.perijove("compute", "attach", "box", *options, "--cpus", "2")
        yield f"attached and prepared: {time.perf_counter() - begun:.0f} s"
        for _ in range(5):
            hub.job(notebook, compute="box")
        time.sleep(5)
        peer = common.papermill(notebook, folder / "out.ipynb")
        row = common.beside(
            lambda: hub.job(notebook, compute="box"), lambda: common.timed(peer, folder), ROUNDS
        )
        yield f"a job over SSH: {row}"
        hub.perijove("compute", "delete", "box")
    if fresh:
        shutil.rmtree(NODE, ignore_errors=True)


if __name__ == "__main__":
    print(*main(), sep="\n")
