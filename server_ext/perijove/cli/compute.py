"""``perijove compute``."""

from __future__ import annotations

import time
from typing import Any

import click

from perijove.cli.app import common
from perijove.cli.output import ago, emit, say, state, table
from perijove.client.compute import ComputeTarget
from perijove.client.workspace import Workspace
from perijove.errors import InvalidInput
from perijove.models.compute import Node

HEAD = ["NAME", "KIND", "ON", "STATE", "NODES", "RUNNING", "QUEUED", "NODE-HOURS"]
NODE_HEAD = ["NODE", "STATE", "CPU", "MEMORY", "GPUS", "JOBS", "UP"]
FORCE = click.option("--force", is_flag=True, help="Cancel its jobs first.")


@click.group()
def compute() -> None:
    """Compute targets: this machine, and clusters that scale by themselves."""


@compute.command()
@click.argument("name")
@click.option("--kind", default="cluster", show_default=True, metavar="cluster")
@click.option("--on", default="local", show_default=True, help="What it is launched over.")
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
@common
def create(name: str, kind: str, workspace: str | None, as_json: bool, **fields: Any) -> None:
    """Create the cluster NAME and wait until it is up."""
    if kind != "cluster":
        raise InvalidInput(
            f"A target of kind {kind!r} cannot be created.", field="kind", remedy="Use: cluster."
        )
    given = {key: value for key, value in fields.items() if value not in (None, ())}
    made = Workspace(workspace).compute.create_cluster(name, **given)
    _tell(made, as_json)


@compute.command("list")
@common
def list_targets(workspace: str | None, as_json: bool) -> None:
    """List the compute targets."""
    targets = Workspace(workspace).compute.list()
    emit([x.data for x in targets], as_json, table(HEAD, [_row(target) for target in targets]))


@compute.command()
@click.argument("name")
@common
def show(name: str, workspace: str | None, as_json: bool) -> None:
    """Show a compute target."""
    target = Workspace(workspace).compute.get(name)
    _tell(target, as_json)
    if not as_json:
        for key, value in target.data.properties.items():
            click.echo(f"{key}: {value if value not in (None, '') else '–'}")
        if (last := target.data.last_operation) is not None:
            click.echo(f"last operation: {last.name} {last.outcome}, {ago(last.begun_at)}")
        if target.data.message:
            click.echo(target.data.message)


@compute.command()
@click.argument("name")
@common
def start(name: str, workspace: str | None, as_json: bool) -> None:
    """Bring a target up; its queued jobs begin."""
    _tell(Workspace(workspace).compute.get(name).start(), as_json)


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
    _tell(Workspace(workspace).compute.get(name).restart(force), as_json)


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
    Workspace(workspace).compute.get(name).delete(force)
    emit({"name": name, "state": "deleted"}, as_json)
    say(f"{name} is deleted.")


def _tell(target: ComputeTarget, as_json: bool) -> None:
    emit(target.data, as_json, table(HEAD, [_row(target)]))


def _row(target: ComputeTarget) -> list[str]:
    data = target.data
    count = f"{data.busy_nodes}/{data.current_nodes}/{data.max_nodes}"
    return [
        data.name,
        data.kind.value,
        data.on,
        state(data.state.value),
        count,
        str(data.running_jobs),
        str(data.queued_jobs),
        f"{data.node_hours:.2f}",
    ]


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
