"""Machines over SSH on the command line: how they are named, and whose keys they show."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from perijove.cli.output import say
from perijove.client.compute import Compute
from perijove.errors import InvalidInput
from perijove.models.instances import asked_definition


def absolute(path: str | None) -> str | None:
    """The hub runs in another folder."""
    return str(Path(path).expanduser().absolute()) if path else path


SSH_OPTIONS = (
    click.option("--host", "hosts", multiple=True, metavar="[USER@]HOST[:PORT]", help="Over SSH."),
    click.option(
        "--identity-file",
        metavar="FILE",
        callback=lambda _, __, path: absolute(path),
        help="Private key [default: as ssh does].",
    ),
    click.option("--proxy-jump", metavar="HOST", help="Reach the host through this one."),
    click.option(
        "--host-key",
        "host_keys",
        multiple=True,
        metavar="KEY",
        help="The key it must have: type and base64. One for each host.",
    ),
    click.option("--yes", is_flag=True, help="Take the host key that it shows now."),
)


def ssh_options(command: Any) -> Any:
    """How a machine is reached over SSH."""
    for option in reversed(SSH_OPTIONS):
        command = option(command)
    return command


def named_hosts(hosts: tuple[str, ...], keys: tuple[str, ...], pool: bool) -> dict[str, Any]:
    """The fields of a definition that name hosts."""
    if pool:
        found = {"hosts": list(hosts), "host_keys": list(keys)}
        return {key: value for key, value in found.items() if value}
    if len(hosts) > 1 or len(keys) > 1:
        raise InvalidInput("It is one machine: give one host.", field="host")
    found_one = {"host": hosts[:1], "host_key": keys[:1]}
    return {key: value[0] for key, value in found_one.items() if value}


def confirmed(compute: Compute, given: dict[str, Any], yes: bool) -> dict[str, Any]:
    """The definition with the keys its hosts must have, each confirmed by the user."""
    pool = "hosts" in given
    hosts = given["hosts"] if pool else [given["host"]] if given.get("host") else []
    if not hosts or given.get("host_key") or given.get("host_keys"):
        return given
    # nobody compares keys for what is refused anyway
    asked_definition(given | ({"host_keys": hosts} if pool else {}))
    keys = []
    for host in hosts:
        found = compute.host_key(host, given.get("proxy_jump"), given.get("identity_file"))
        if not (found.known or yes):
            say(f"{host} shows the key {found.fingerprint} ({found.type}).")
            say("Compare it with what the machine's owner says, or: ssh-keygen -lf KEYFILE there.")
            if not _agreed():
                raise InvalidInput(
                    f"The key of {host}, {found.fingerprint}, is not confirmed.",
                    field="host_key",
                    remedy="Answer yes, give --host-key, or take what it shows with --yes.",
                )
        keys.append(found.line)
    return given | ({"host_keys": keys} if pool else {"host_key": keys[0]})


def _agreed() -> bool:
    say("Is it right? [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
