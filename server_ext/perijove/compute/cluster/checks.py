"""What can be known to go wrong before a cluster is made, or a scheduler attached."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import psutil

from perijove.compute import slurm
from perijove.errors import Conflict, InvalidInput, MissingExtra
from perijove.models.compute import ClusterDefinition, show_amount
from perijove.models.instances import CERTIFICATES, AttachedDefinition

LOCAL_NODES = 16
"""Nodes one machine can always be asked for."""


async def check_local(definition: ClusterDefinition) -> None:
    """Does this machine have room for the nodes?

    Raises
    ------
    Conflict: no, with the field at fault.
    InvalidInput: something is asked that only Slurm could do.
    """
    if definition.given is not None:
        raise InvalidInput(
            f"{definition.given} is for clusters over Slurm, and {definition.name} is to be "
            "on local.",
            field=definition.given,
            remedy="Leave it out, or use --on slurm.",
        )
    cores, memory = os.cpu_count() or 1, psutil.virtual_memory().total
    most = max(LOCAL_NODES, 2 * cores)
    for field, asked, has in (
        ("cpus", definition.cpus, cores),
        ("memory", definition.memory or 0, memory),
        ("max_nodes", definition.max_nodes, most),
    ):
        if asked > has:
            raise Conflict(
                f"This machine has {show_amount(field, has)}, not {show_amount(field, asked)}."
                if field != "max_nodes"
                else f"This machine takes {has} nodes at most; max_nodes is {asked}.",
                field=field,
                remedy="Ask for less, or launch the cluster over other machines.",
            )


async def check_hosts(definition: ClusterDefinition) -> None:
    """May nodes be on these hosts?

    Raises
    ------
    Conflict: there are more nodes than hosts.
    InvalidInput: a host or its key is not what it should be, or something else does not belong.
    """
    from perijove.compute.cluster.hosts import addresses  # asyncssh takes 0.2 s

    if definition.given is not None:
        raise InvalidInput(
            f"{definition.given} is for clusters over Slurm, and {definition.name} is to be "
            "on ssh.",
            field=definition.given,
            remedy="Leave it out, or use --on slurm.",
        )
    if definition.max_nodes > len(definition.hosts):
        raise Conflict(
            f"A host has one node: max_nodes ({definition.max_nodes}) must not be more than the "
            f"number of hosts ({len(definition.hosts)}).",
            field="max_nodes",
            remedy="Ask for less, or name more hosts.",
        )
    addresses(definition)


async def check_slurm(definition: ClusterDefinition) -> None:
    """Would Slurm take the nodes?

    Raises
    ------
    Conflict, Unreachable: see `perijove.compute.slurm.check`.
    MissingExtra: dask-jobqueue is not installed.
    """
    if find_spec("dask_jobqueue") is None:
        raise MissingExtra(
            "Clusters over Slurm need dask-jobqueue.",
            field="on",
            remedy="Install it: pip install dask-jobqueue.",
        )
    await slurm.check(definition, definition.node)


def check_scheduler(definition: AttachedDefinition) -> None:
    """Is there what a connection to the scheduler needs?

    Raises
    ------
    InvalidInput: certificates are missing, or cannot be read.
    """
    encrypted = (definition.scheduler or "").startswith("tls://")
    if definition.certificates is None:
        if encrypted:
            raise InvalidInput(
                f"{definition.scheduler} wants certificates.",
                field="certificates",
                remedy=f"Give the folder with its {', '.join(CERTIFICATES)}.",
            )
        return
    folder = Path(definition.certificates)
    if not folder.is_absolute():
        raise InvalidInput(
            f"The folder of certificates {folder} must be given from the root on.",
            field="certificates",
        )
    for name in CERTIFICATES:
        if not os.access(folder / name, os.R_OK) or not (folder / name).is_file():
            raise InvalidInput(
                f"{folder / name} is not there, or cannot be read.",
                field="certificates",
                remedy=f"Give the folder with the scheduler's {', '.join(CERTIFICATES)}.",
            )
