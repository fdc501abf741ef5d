"""The kinds of targets that Perijove brings: what is checked before one is made, and how."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import ClassVar

import psutil

from perijove.abc import ManagedTarget, TargetMaker, Workshop
from perijove.compute import slurm
from perijove.compute.cluster.borrowed import AttachedTarget
from perijove.compute.cluster.checks import check_hosts, check_local, check_scheduler, check_slurm
from perijove.compute.cluster.processtarget import ProcessOptions
from perijove.compute.cluster.target import ClusterTarget
from perijove.compute.instance.local import LocalMachine
from perijove.compute.instance.machine import Machine
from perijove.compute.instance.target import InstanceTarget
from perijove.errors import Conflict, InvalidInput, NotFound
from perijove.models.compute import ClusterDefinition, show_amount
from perijove.models.instances import (
    AttachedDefinition,
    Definition,
    HostQuestion,
    InstanceDefinition,
    ShownKey,
    SshOptions,
)
from perijove.models.problems import validated
from perijove.models.ssh import SshAddress


class Clusters:
    """Training clusters."""

    kind = "cluster"
    launchers: ClassVar[dict[str, Callable[[ClusterDefinition], Awaitable[None]]]] = {
        "local": check_local,
        "ssh": check_hosts,
        "slurm": check_slurm,
    }
    """What a cluster can be launched over, and what refuses one that cannot be."""

    async def check(self, definition: Definition) -> None:
        assert isinstance(definition, ClusterDefinition)
        if definition.on not in self.launchers:
            raise NotFound(
                f"There is nothing called {definition.on!r} to launch a cluster on.",
                field="on",
                remedy=f"Use one of: {', '.join(sorted(self.launchers))}.",
            )
        if definition.max_nodes < definition.min_nodes:
            raise Conflict(
                f"max_nodes ({definition.max_nodes}) must not be less than "
                f"min_nodes ({definition.min_nodes}).",
                field="max_nodes",
            )
        await self.launchers[definition.on](definition)

    def make(self, definition: Definition, workshop: Workshop, on: bool) -> ManagedTarget:
        assert isinstance(definition, ClusterDefinition)
        return ClusterTarget(
            workshop.folder,
            definition,
            on=on,
            **_process(workshop),
        )


class Instances:
    """Compute instances."""

    kind = "instance"

    async def check(self, definition: Definition) -> None:
        assert isinstance(definition, InstanceDefinition)
        if definition.ssh_access and definition.on != "ssh":
            raise InvalidInput(
                f"An instance on {definition.on} has no SSH server.",
                field="ssh_access",
                remedy="perijove compute connect opens a shell on it all the same.",
            )
        if definition.on == "local":
            check_size(definition)
        elif definition.on == "ssh":
            check_ssh(definition)
        elif definition.on == "slurm":
            await slurm.check(definition, definition.node)
        elif definition.on == "container":
            from perijove.compute.instance.container import check

            check(definition)
            check_size(definition)

    def make(self, definition: Definition, workshop: Workshop, on: bool) -> ManagedTarget:
        assert isinstance(definition, InstanceDefinition)
        return _instance(definition, self._machine(definition, workshop), workshop, on)

    def _machine(self, definition: InstanceDefinition, workshop: Workshop) -> Machine:
        # each is imported where it is used: asyncssh alone takes 0.2 s
        if definition.on == "ssh":
            return ssh_machine(definition, workshop)
        if definition.on == "slurm":
            from perijove.compute.instance.allocation import SlurmMachine

            return SlurmMachine(definition, workshop)
        if definition.on == "container":
            from perijove.compute.instance.container import ContainerMachine

            return ContainerMachine(definition, workshop)
        return LocalMachine(workshop.folder, definition, workshop.gate)


class Attached:
    """What is there already, used as it is."""

    kind = "attached"

    async def check(self, definition: Definition) -> None:
        assert isinstance(definition, AttachedDefinition)
        if definition.host:
            check_ssh(definition)
        else:
            check_scheduler(definition)

    def make(self, definition: Definition, workshop: Workshop, on: bool) -> ManagedTarget:
        assert isinstance(definition, AttachedDefinition)
        if definition.scheduler:
            return AttachedTarget(workshop.folder, definition, on=on, **_process(workshop))
        return _instance(definition, ssh_machine(definition, workshop), workshop, on)


def check_ssh(definition: SshOptions) -> SshAddress:
    """The address that a definition gives.

    Raises
    ------
    InvalidInput: it is none, or its host key is not confirmed.
    """
    given = definition.model_dump(include={"host", "identity_file", "host_key", "proxy_jump"})
    address = ssh_address(given)
    if address.host_key is None:
        raise InvalidInput(
            f"The host key of {address} is not confirmed.",
            field="host_key",
            remedy="Compare the fingerprint that it shows, and give the key with the definition.",
        )
    return address


def ssh_address(given: dict[str, object]) -> SshAddress:
    """Raises InvalidInput, naming the field, if it is no address."""
    try:
        return validated(SshAddress, given)
    except InvalidInput as error:
        if error.field != "definition":
            raise
        said = error.message.removeprefix("definition: ")
        raise InvalidInput(f"host: {said}", field="host") from None


async def show_key(question: HostQuestion) -> ShownKey:
    """The key that a machine shows now, and whether the user knows it.

    Raises
    ------
    InvalidInput: the host is no address. Unreachable: it shows no key. Conflict: the user knows
    another one.
    """
    from perijove.compute.ssh.hostkeys import show

    address = ssh_address(question.model_dump())
    key, known = await show(address)
    return ShownKey(**key.model_dump(), host=str(address), known=known)


def ssh_machine(definition: SshOptions, workshop: Workshop) -> Machine:
    """The machine of a definition that was checked."""
    from perijove.compute.instance.remote import SshMachine

    shows_login = not isinstance(definition, InstanceDefinition) or definition.ssh_access
    address = check_ssh(definition)
    return SshMachine(workshop.folder, workshop.name, address, workshop.gate, shows_login)


def _instance(
    definition: InstanceDefinition | AttachedDefinition,
    machine: Machine,
    workshop: Workshop,
    on: bool,
) -> InstanceTarget:
    return InstanceTarget(
        workshop.folder,
        definition,
        machine,
        on=on,
        lease=workshop.lease,
        preload=workshop.preload,
        warm_start=workshop.warm_start,
        token=workshop.agent_token,
        attempt_token=workshop.attempt_token,
        changed=workshop.changed,
        environments=workshop.environments,
    )


def _process(workshop: Workshop) -> ProcessOptions:
    return {
        "lease": workshop.lease,
        "preload": workshop.preload,
        "warm_start": workshop.warm_start,
        "changed": workshop.changed,
        "gate": workshop.gate,
        "network_gate": workshop.network_gate,
        "attempt_token": workshop.attempt_token,
    }


def check_size(definition: InstanceDefinition) -> None:
    """Raises Conflict, if this machine has no room for such a slice."""
    cores, memory = os.cpu_count() or 1, psutil.virtual_memory().total
    for field, asked, has in (
        ("cpus", definition.cpus, cores),
        ("memory", definition.memory, memory),
    ):
        if asked is not None and asked > has:
            raise Conflict(
                f"This machine has {show_amount(field, has)}, not {show_amount(field, asked)}.",
                field=field,
                remedy="Ask for less, or create the instance on another machine.",
            )


MAKERS: dict[str, TargetMaker] = {
    maker.kind: maker for maker in (Clusters(), Instances(), Attached())
}
