"""What a cluster's nodes can be launched over: one module each."""

from __future__ import annotations

from importlib import import_module

from perijove.compute.cluster.launchers.base import Launcher

LAUNCHERS = {
    "local": "perijove.compute.cluster.launchers.local:LocalLauncher",
    "ssh": "perijove.compute.cluster.launchers.ssh:SshLauncher",
    "slurm": "perijove.compute.cluster.launchers.slurm:SlurmLauncher",
}


def find_launcher(name: str) -> type[Launcher]:
    """The launcher of that name; only that one is imported."""
    module, _, attribute = LAUNCHERS[name].partition(":")
    found: type[Launcher] = getattr(import_module(module), attribute)
    return found
