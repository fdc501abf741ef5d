"""Nodes on this machine."""

from __future__ import annotations

import os
import subprocess
import sys

from perijove.compute.cluster.launchers.base import Launcher, ManagedNode
from perijove.compute.cluster.node import GPUS, zygote_beside
from perijove.compute.cluster.protocol import LOG, NODES, TLS, end_node
from perijove.compute.cluster.tls import CERTIFICATE, KEY
from perijove.models.processes import process_of


class LocalNode(ManagedNode):
    """A node on this machine: a Dask worker in a session of its own, and a zygote.

    There is no nanny: a worker that died is a node that died, and the cluster makes a new one.
    """

    def __init__(self, scheduler: str, name: str, launcher: Launcher) -> None:
        super().__init__(scheduler, name, launcher)
        self._folder = launcher.folder
        self._process: subprocess.Popen[bytes] | None = None
        self._record = self._folder / NODES / f"{self.id}.json"

    async def start(self) -> None:
        await super().start()
        asked = self.launcher.definition
        certificate, key = self._folder / TLS / CERTIFICATE, self._folder / TLS / KEY
        environ = dict(os.environ)
        if asked.gpus:
            environ[GPUS] = str(asked.gpus)
        with (
            (self._folder / LOG).open("ab") as output,
            # both start at once: the first job waits for the slower one only
            zygote_beside(output) as (control, inherited),
        ):
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "distributed.cli.dask_worker", self.scheduler),
                    *("--name", self.id, "--no-nanny"),
                    *("--nworkers", "1", "--nthreads", str(asked.cpus)),
                    *("--memory-limit", str(asked.memory or 0)),
                    # its own pages have no TLS, and are there without a dashboard too
                    *("--no-dashboard", "--dashboard-address", "127.0.0.1:0"),
                    *("--host", "127.0.0.1", "--death-timeout", "60"),
                    *("--tls-ca-file", str(certificate), "--tls-cert", str(certificate)),
                    *("--tls-key", str(key), "--preload", "perijove.compute.cluster.node"),
                    *("--local-directory", str(self._folder / NODES / self.id)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environ | control,
                pass_fds=inherited,
                start_new_session=True,
            )
        self._record.parent.mkdir(exist_ok=True)
        self._record.write_text(process_of(self._process.pid).model_dump_json())

    async def close(self) -> None:
        end_node(self._record)
        if self._process is not None:
            self._process.wait()
        await super().close()

    def ended(self) -> str | None:
        gone = self._process is not None and self._process.poll() is not None
        return "it ended; see the log" if gone else None


class LocalLauncher(Launcher):
    """See `Launcher`."""

    node = LocalNode
