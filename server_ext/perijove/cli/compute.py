"""``perijove compute``."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from perijove.cli.hosts import absolute, confirmed, named_hosts, ssh_options
from perijove.cli.output import ago, emit, say, state, table, tell
from perijove.cli.program import common
from perijove.cli.reading import read_text
from perijove.client.compute import ComputeTarget
from perijove.client.workspace import Workspace
from perijove.errors import InvalidInput, PerijoveError
from perijove.models.compute import Node, TargetEvent, TargetState, show_memory
from perijove.models.definitions import load_yaml
from perijove.models.schedules import PowerSchedule

HEAD = ["NAME", "KIND", "ON", "STATE", "NODES", "RUNNING", "QUEUED", "NODE-HOURS"]
EVENT_HEAD = ["WHEN", "WHAT", "OUTCOME", "TOOK", "MESSAGE"]
NODE_HEAD = ["NODE", "STATE", "CPU", "MEMORY", "GPUS", "JOBS", "UP"]
LOOK = 1.0
"""Seconds between two looks at a target that comes up."""
RISING = (TargetState.CREATING, TargetState.STARTING, TargetState.RESTARTING)
FORCE = click.option("--force", is_flag=True, help="Cancel its jobs first.")


@click.group()
def compute() -> None:
    """Compute targets: this machine, instances, clusters that scale by themselves."""


@compute.command()
@click.argument("name", required=False)
@click.option("--kind", metavar="cluster|instance", help="[default: cluster]")
@click.option("--on", metavar="local|ssh|slurm|container", help="[default: local]")
@click.option("-f", "--file", type=click.Path(), help="A YAML file with the definition.")
@click.option("--min-nodes", type=int, metavar="N", help="Kept up [default: 0].")
@click.option("--max-nodes", type=int, metavar="N", help="At most [default: 4].")
@click.option("--cpus", type=int, metavar="N", help="CPUs of a node [default: 1].")
@click.option("--memory", metavar="SIZE", help="Memory of a node, for example 4GiB.")
@click.option("--gpus", type=int, metavar="N", help="GPUs of a node [default: 0].")
@click.option(
    "--idle-seconds-before-scale-down", type=float, metavar="SECONDS", help="[default: 120]"
)
@click.option("--partition", metavar="P", help="Slurm: the partition of the nodes.")
@click.option("--account", metavar="A", help="Slurm: who pays.")
@click.option("--walltime", metavar="TIME", help="Slurm: how long a node may live, 01:00:00.")
@click.option(
    "--directive",
    "directives",
    multiple=True,
    metavar="OPTION",
    help='Slurm: one more option of sbatch, "--constraint=x"; may be repeated.',
)
@click.option("--interface", metavar="I", help="Slurm: the network interface that nodes reach.")
@click.option(
    "--idle-minutes-before-shutdown", type=float, metavar="MINUTES", help="An instance's."
)
@click.option("--start-at", multiple=True, metavar="CRON", help='Such as "0 8 * * mon-fri".')
@click.option("--stop-at", multiple=True, metavar="CRON")
@click.option("--image", help="A container's image.")
@click.option(
    "--ssh-access",
    is_flag=True,
    default=None,
    help="An instance on ssh: show how to log in there. Chosen at creation only.",
)
@ssh_options
@common
def create(
    name: str | None,
    file: str | None,
    start_at: tuple[str, ...],
    stop_at: tuple[str, ...],
    hosts: tuple[str, ...],
    host_keys: tuple[str, ...],
    yes: bool,
    workspace: str | None,
    as_json: bool,
    **fields: Any,
) -> None:
    """Create the cluster or instance NAME and wait until it is up."""
    given = {"kind": "cluster"} | (_read(file) if file else {})
    given |= {key: value for key, value in fields.items() if value not in (None, ())}
    if name is not None:
        given["name"] = name
    schedules = [{"action": "start", "cron": cron} for cron in start_at]
    schedules += [{"action": "stop", "cron": cron} for cron in stop_at]
    if schedules:
        given["schedules"] = schedules
    if hosts:
        given.setdefault("on", "ssh")
    given |= named_hosts(hosts, host_keys, pool=given["kind"] == "cluster")
    if "name" not in given:
        raise InvalidInput("A target needs a NAME.", field="name")
    compute = Workspace(workspace).compute
    definition = confirmed(compute, given, yes)
    with _progress(workspace, given["name"], new=True):
        made = compute.create(definition)
    _tell(made, as_json)


@compute.command()
@click.argument("name")
@ssh_options
@click.option("--scheduler", metavar="tls://HOST:PORT", help="A Dask scheduler.")
@click.option(
    "--certificates",
    metavar="DIR",
    callback=lambda _, __, path: absolute(path),
    help="The scheduler's ca.pem, cert.pem and key.pem.",
)
@click.option("--cpus", type=int, metavar="N", help="Jobs at once [default: its CPUs].")
@common
def attach(
    name: str,
    hosts: tuple[str, ...],
    host_keys: tuple[str, ...],
    yes: bool,
    workspace: str | None,
    as_json: bool,
    **fields: Any,
) -> None:
    """Attach the machine or the Dask scheduler that is there already, as NAME."""
    given = {key: value for key, value in fields.items() if value is not None}
    given |= {"name": name, "kind": "attached"}
    given |= named_hosts(hosts, host_keys, pool=False)
    compute = Workspace(workspace).compute
    definition = confirmed(compute, given, yes)
    with _progress(workspace, name, new=True):
        made = compute.create(definition)
    _tell(made, as_json)


@compute.command("list")
@common
def list_targets(workspace: str | None, as_json: bool) -> None:
    """List the compute targets."""
    targets = Workspace(workspace).compute.list()
    rows = [_row(target) for target in targets]
    emit([x.data for x in targets], as_json, table(HEAD, rows), lambda: targets)


@compute.command()
@click.argument("name")
@common
def show(name: str, workspace: str | None, as_json: bool) -> None:
    """Show a compute target."""
    target = Workspace(workspace).compute.get(name)
    emit(target.data, as_json, table(HEAD, [_row(target)]))
    if not as_json:
        for key, value in (target.data.attributes | target.data.properties).items():
            if value not in (None, "", [], {}, False) and key not in ("name", "size"):
                tell(f"{key}: {_shown(key, value)}")
        if (last := target.data.last_operation) is not None:
            why = (
                f": {last.message}" if last.message and last.message != target.data.message else ""
            )
            tell(f"last operation: {last.name} {last.outcome}, {ago(last.begun_at)}{why}")
        if target.data.message:
            tell(target.data.message)


@compute.command()
@click.argument("name")
@common
def start(name: str, workspace: str | None, as_json: bool) -> None:
    """Bring a target up; its queued jobs begin."""
    target = Workspace(workspace).compute.get(name)
    with _progress(workspace, name):
        target.start()
    _tell(target, as_json)


@compute.command()
@click.argument("name")
@FORCE
@common
def stop(name: str, force: bool, workspace: str | None, as_json: bool) -> None:
    """End a target's nodes; what is queued waits."""
    _tell(Workspace(workspace).compute.get(name).stop(force), as_json)


@compute.command()
@click.argument("name")
@FORCE
@common
def restart(name: str, force: bool, workspace: str | None, as_json: bool) -> None:
    """Stop a target and start it again."""
    target = Workspace(workspace).compute.get(name)
    with _progress(workspace, name):
        target.restart(force)
    _tell(target, as_json)


@compute.command()
@click.argument("name")
@click.option("--min-nodes", type=int, metavar="N")
@click.option("--max-nodes", type=int, metavar="N")
@click.option("--idle-seconds-before-scale-down", type=float, metavar="SECONDS")
@common
def scale(name: str, workspace: str | None, as_json: bool, **limits: Any) -> None:
    """Give a cluster other limits."""
    if all(value is None for value in limits.values()):
        raise InvalidInput("Nothing to change.", remedy="Give --min-nodes or --max-nodes.")
    _tell(Workspace(workspace).compute.get(name).scale(**limits), as_json)


@compute.command()
@click.argument("name")
@common
def nodes(name: str, workspace: str | None, as_json: bool) -> None:
    """List a target's nodes."""
    found = Workspace(workspace).compute.get(name).nodes()
    emit(found, as_json, table(NODE_HEAD, [_node(node) for node in found]))


@compute.command()
@click.argument("name")
@common
def connect(name: str, workspace: str | None, as_json: bool) -> None:
    """Open a shell on an instance. With --json: print the command that does it."""
    target = Workspace(workspace).compute.get(name)
    if as_json:
        emit({"command": target.connection()}, as_json)
        return
    code = target.connect()
    if code:
        raise click.exceptions.Exit(code)


@compute.command("keep-running")
@click.argument("name")
@common
def keep_running(name: str, workspace: str | None, as_json: bool) -> None:
    """Call off the stop of an instance that is announced."""
    _tell(Workspace(workspace).compute.get(name).keep_running(), as_json)


@compute.command()
@click.argument("name")
@common
def events(name: str, workspace: str | None, as_json: bool) -> None:
    """List what happened to a target, the last at the end."""
    found = Workspace(workspace).compute.get(name).events()
    emit(found, as_json, table(EVENT_HEAD, [_event(event) for event in found]))


@compute.command()
@click.argument("name")
@click.option("--follow", is_flag=True, help="Go on as there is more.")
@common
def logs(name: str, follow: bool, workspace: str | None, as_json: bool) -> None:
    """Print what a target and its nodes have said."""
    target = Workspace(workspace).compute.get(name)
    text = target.logs()
    emit({"log": text}, as_json, text.rstrip("\n"))
    while follow and not as_json:
        time.sleep(1)
        now = target.logs()
        if now != text:
            click.echo(now[len(text) :] if now.startswith(text) else now, nl=False)
            text = now


@compute.command()
@click.argument("name")
@FORCE
@common
def delete(name: str, force: bool, workspace: str | None, as_json: bool) -> None:
    """End a target and forget it. Its jobs' results stay."""
    message = Workspace(workspace).compute.get(name).delete(force)
    emit({"name": name, "state": "deleted", "message": message}, as_json)
    say(f"{name} is deleted." if message is None else f"{name} is deleted. {message}")


def _read(path: str) -> dict[str, Any]:
    data = load_yaml(read_text(path, "file"), "target", "file")
    if not isinstance(data, dict):
        raise InvalidInput(f"{path} must hold a mapping with the target's fields.", field="file")
    return data


@contextmanager
def _progress(workspace: str | None, name: str, new: bool = False) -> Iterator[None]:
    """Says what a target waits for on its way up, and what goes on after Ctrl-C."""
    over = threading.Event()

    def look() -> None:
        compute, said = Workspace(workspace).compute, None
        while not over.wait(LOOK):
            with suppress(PerijoveError):
                data = compute.get(name).data
                rises = data.state in RISING
                if rises and data.message not in (None, said) and not over.is_set():
                    said = data.message
                    say(f"{name}: {said}")

    threading.Thread(target=look, daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        verb = "delete" if new else "stop"
        say(f"{name} goes on coming up. To call it off: perijove compute {verb} {name}.")
        raise
    finally:
        over.set()


def _tell(target: ComputeTarget, as_json: bool) -> None:
    emit(target.data, as_json, table(HEAD, [_row(target)]))
    if target.data.message:
        say(target.data.message)


def _row(target: ComputeTarget) -> list[str]:
    data = target.data
    count = f"{data.busy_nodes}/{data.current_nodes}/{data.max_nodes}"
    return [
        data.name,
        data.kind,
        data.on,
        state(data.state.value),
        count,
        str(data.running_jobs),
        str(data.queued_jobs),
        f"{data.node_hours:.2f}",
    ]


def _event(event: TargetEvent) -> list[str]:
    return [
        ago(event.at),
        event.name,
        "" if event.outcome == "noted" else state(event.outcome),
        "" if event.seconds is None else f"{event.seconds:.1f} s",
        event.message or "",
    ]


def _shown(key: str, value: Any) -> str:
    if key in ("memory", "disk_free"):
        return show_memory(value)
    if key == "schedules":
        return ", ".join(
            f"{each.action} at {each.words} ({each.timezone or 'local time'})"
            for each in map(PowerSchedule.model_validate, value)
        )
    if key == "kernels":
        return ", ".join(
            f"{each['environment']} ({each['name'] or each['kernel_id'][:8]})" for each in value
        )
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _node(node: Node) -> list[str]:
    used = "–" if node.memory_used is None else f"{node.memory_used / 2**20:.0f} MiB"
    return [
        node.id,
        state(node.state.value),
        "–" if node.cpu_percent is None else f"{node.cpu_percent:.0f} %",
        used,
        str(node.gpus),
        ", ".join(job[:8] for job in node.jobs) or "–",
        node.message or ago(node.started_at).removesuffix(" ago"),
    ]
