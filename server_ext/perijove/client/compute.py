"""Compute targets."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from perijove.client import displays
from perijove.client.http import LONG, HubClient, segment
from perijove.client.listed import Listed
from perijove.client.resource import Resource
from perijove.errors import Conflict, MissingExtra, PerijoveError
from perijove.models.compute import ComputeTargetInfo, Kind, Node, Scale, TargetEvent
from perijove.models.instances import CERTIFICATES, ShownKey, asked_definition
from perijove.models.problems import validated

STAY = 30.0
"""Seconds between two signs of a shell that is open: its machine is in use."""


class ComputeTarget(Resource[ComputeTargetInfo]):
    """A compute target. Its attributes are those of the last look; `refresh` looks again."""

    @property
    def name(self) -> str:
        return self.data.name

    @property
    def state(self) -> str:
        """Looked up now."""
        return self.refresh().data.state.value

    def refresh(self) -> ComputeTarget:
        """Look again."""
        return self._take(self.client.request("GET", self._path()))

    def nodes(self) -> list[Node]:
        """Its nodes."""
        found = self.client.request("GET", self._path("nodes"))
        return [Node.model_validate(item) for item in found]

    def events(self) -> list[TargetEvent]:
        """What happened to it, oldest first; the last ones of many."""
        found = self.client.request("GET", self._path("events"))
        return [TargetEvent.model_validate(item) for item in found]

    def logs(self) -> str:
        """The end of what it and its nodes have said."""
        return b"".join(self.client.fetch(self._path("logs"))).decode("utf-8", "replace")

    def start(self) -> ComputeTarget:
        """Bring it up."""
        return self._do("start")

    def stop(self, force: bool = False) -> ComputeTarget:
        """End its nodes; queued jobs wait. `force` cancels the running ones first."""
        return self._do("stop", {"force": force})

    def restart(self, force: bool = False) -> ComputeTarget:
        """Stop it and start it again."""
        return self._do("restart", {"force": force})

    def scale(
        self,
        min_nodes: int | None = None,
        max_nodes: int | None = None,
        idle_seconds_before_scale_down: float | None = None,
    ) -> ComputeTarget:
        """Give it other limits; what is left out stays."""
        given = {
            "min_nodes": min_nodes,
            "max_nodes": max_nodes,
            "idle_seconds_before_scale_down": idle_seconds_before_scale_down,
        }
        return self._do("scale", validated(Scale, given).model_dump(exclude_none=True))

    def keep_running(self) -> ComputeTarget:
        """Call off the stop that is announced."""
        return self._do("keep-running")

    def connect(self) -> int:
        """Open a shell there, in this terminal; its exit code. As long as it is open the machine
        is in use."""
        command = self.connection()
        done = threading.Event()

        def stay() -> None:
            while not done.wait(STAY):
                with suppress(PerijoveError):
                    self.connection()

        threading.Thread(target=stay, daemon=True).start()
        try:
            return subprocess.run(command, check=False).returncode
        finally:
            done.set()

    def connection(self) -> list[str]:
        """The command that opens a shell there, as an argument list for the hub's machine."""
        found = self.client.request("POST", self._path("connections"))
        return [str(word) for word in found["command"]]

    def delete(self, force: bool = False) -> str | None:
        """End it and forget it. `force` cancels its jobs first, and leaves alone a machine that
        is away; returns what becomes of that, in words."""
        body = {"force": force}
        found = self.client.request("POST", self._path("delete"), json=body, timeout=LONG)
        return None if found["message"] is None else str(found["message"])

    def dask_client(self, **options: Any) -> Any:
        """A Dask client of the cluster, for work of your own on its nodes.

        Raises
        ------
        Conflict: this is no cluster, or it does not run.
        """
        self.refresh()
        if "scheduler" not in self.data.properties:
            raise Conflict(
                f"{self.name} is no cluster: clusters and attached schedulers have Dask.",
                field="name",
                remedy="Create a cluster: perijove compute create NAME --kind cluster.",
            )
        scheduler = str(self.data.properties["scheduler"] or "")
        folder = str(self.data.properties.get("certificates") or "")
        if not scheduler:
            raise Conflict(
                f"{self.name} has no Dask scheduler now: it {self.data.state.said}.",
                field="name",
                remedy=f"Start it: perijove compute start {self.name}.",
            )
        try:
            from distributed import Client
            from distributed.security import Security
        except ImportError:
            raise MissingExtra("Dask is not installed here: pip install distributed.") from None
        if not folder:  # an attached scheduler on this machine, without TLS
            return Client(scheduler, **options)
        theirs = self.data.kind == Kind.ATTACHED.value
        names = CERTIFICATES if theirs else ("cluster.pem", "cluster.pem", "cluster.key")
        authority, certificate, key = (f"{folder}/{name}" for name in names)
        security = Security(
            tls_ca_file=authority,
            tls_client_cert=certificate,
            tls_client_key=key,
            require_encryption=True,
        )
        return Client(scheduler, security=security, **options)

    @contextmanager
    def joblib(self, **options: Any) -> Iterator[Any]:
        """Let joblib, and so scikit-learn's ``n_jobs``, work on the cluster's nodes."""
        import joblib

        with (
            self.dask_client(set_as_default=True) as client,
            joblib.parallel_config("dask", client=client, **options),
        ):
            yield client

    def __repr__(self) -> str:
        return f"ComputeTarget({self.name!r}, kind={self.data.kind!r})"

    def _repr_html_(self) -> str:
        return displays.targets([self.data.model_dump(mode="json")])

    def _path(self, part: str = "") -> str:
        return _path(self.name) + (f"/{part}" if part else "")

    def _do(self, verb: str, body: Mapping[str, Any] | None = None) -> ComputeTarget:
        found = self.client.request("POST", self._path(verb), json=body, timeout=LONG)
        return self._take(found)


def _path(name: str) -> str:
    return f"/compute/{segment(name, 'compute target', 'name')}"


class Compute:
    """``workspace.compute``."""

    def __init__(self, client: HubClient) -> None:
        self._client = client

    def list(self) -> Listed[ComputeTarget]:
        """The compute targets, this machine first."""
        found = self._client.request("GET", "/compute")
        made = (ComputeTarget(self._client, ComputeTargetInfo.model_validate(x)) for x in found)
        return Listed(made, ComputeTargetInfo, displays.targets)

    def get(self, name: str) -> ComputeTarget:
        """The target of this name; raises NotFound."""
        found = self._client.request("GET", _path(name))
        return ComputeTarget(self._client, ComputeTargetInfo.model_validate(found))

    def __getitem__(self, name: str) -> ComputeTarget:
        return self.get(name)

    def create_cluster(self, name: str, **fields: Any) -> ComputeTarget:
        """Make a training cluster and wait until it is up.

        Parameters
        ----------
        name: 3 to 24 letters, digits and hyphens, a letter first.
        fields: those of `ClusterDefinition`: ``on="local"``, ``min_nodes=0``, ``max_nodes=4``,
            ``cpus=1``, ``memory="4GiB"``, ``gpus=0``, ``idle_seconds_before_scale_down=120``;
            ``on="slurm"`` with ``partition``, ``account``, ``walltime="01:00:00"``,
            ``directives=["--constraint=x"]``, ``interface``; ``on="ssh"`` with ``hosts=``,
            ``host_keys=`` (as `host_key` shows them), ``identity_file``, ``proxy_jump``.
        """
        return self.create({"name": name, "kind": "cluster"} | fields)

    def create_instance(self, name: str, **fields: Any) -> ComputeTarget:
        """Make a compute instance and wait until it is up.

        Parameters
        ----------
        name: 3 to 24 letters, digits and hyphens, a letter first.
        fields: those of `InstanceDefinition`: ``on="local"`` (ssh, container, slurm), ``cpus=1``,
            ``memory="4GiB"``, ``gpus=0``, ``host="user@host:22"``,
            ``host_key=`` (as `host_key` shows it), ``ssh_access=False``, ``image="…"``,
            ``idle_minutes_before_shutdown=60``, ``schedules=[{"action": "stop", "cron": "…"}]``.
        """
        return self.create({"name": name, "kind": "instance"} | fields)

    def attach(self, name: str, **fields: Any) -> ComputeTarget:
        """Use a machine or a Dask scheduler that is there already.

        Parameters
        ----------
        name: 3 to 24 letters, digits and hyphens, a letter first.
        fields: those of `AttachedDefinition`: ``host="user@host:22"`` with ``host_key=`` as
            `host_key` shows it, ``identity_file=``, ``proxy_jump=``; or ``scheduler="tls://…"``
            with ``certificates=`` (a folder).
        """
        return self.create({"name": name, "kind": "attached"} | fields)

    def host_key(
        self, host: str, proxy_jump: str | None = None, identity_file: str | None = None
    ) -> ShownKey:
        """The key a machine shows now, for a person to confirm.

        `identity_file` is for the machines on the way to it.
        """
        body = {"host": host, "proxy_jump": proxy_jump, "identity_file": identity_file}
        return ShownKey.model_validate(self._client.request("POST", "/host-keys", json=body))

    def create(self, definition: Mapping[str, Any]) -> ComputeTarget:
        """Make a target from its definition, as YAML files hold it."""
        checked = asked_definition(definition)
        body = checked.model_dump(mode="json", exclude_unset=True) | {"kind": checked.kind}
        found = self._client.request("POST", "/compute", json=body, timeout=LONG)
        return ComputeTarget(self._client, ComputeTargetInfo.model_validate(found))
