"""``perijove up | down | status``."""

from __future__ import annotations

import json
import os
import signal
import time

import click

from perijove.cli.output import emit, say, state, table
from perijove.cli.program import common
from perijove.client.discovery import ensure_hub, find_hub, workspace_folder
from perijove.client.workspace import Workspace
from perijove.errors import HubUnreachable, PerijoveError
from perijove.models.attempts import RunnerProcess
from perijove.models.processes import is_alive
from perijove.models.workspaces import HubInfo, HubStatus, WorkspaceFolder

STOP_LIMIT = 40.0


@click.command()
@click.option(
    "--listen",
    metavar="ADDRESS[:PORT]",
    help="Let nodes of other machines reach the hub there, over TLS; off: no longer.",
)
@common
def up(listen: str | None, workspace: str | None, as_json: bool) -> None:
    """Start the workspace's hub, if it does not run."""
    found = Workspace(workspace).up()
    if listen is not None:
        now = Workspace(workspace).listen(None if listen == "off" else listen)
        say(f"Nodes reach it at {now}." if now else "Nodes do not reach it any more.")
    emit(
        found,
        as_json,
        f"Workspace {workspace_folder(workspace).name} is up: {found.url}\n"
        f"MLflow: {found.tracking_uri} (its token: perijove up --json)",
    )


@click.command()
@click.option("--force", is_flag=True, help="Cancel active jobs first.")
@common
def down(force: bool, workspace: str | None, as_json: bool) -> None:
    """Stop the workspace's hub, its MLflow server and its clusters, which the next up starts."""
    folder = workspace_folder(workspace)
    info = find_hub(folder)
    if info is None and _left_running(folder):
        # a hub that was killed left them; a new one adopts them, and ends them
        info, _ = ensure_hub(folder)
    if info is None:
        emit({"state": "stopped", "canceled": []}, as_json, "It does not run.")
        return
    canceled: list[str] = []
    try:
        client = Workspace(workspace, start=False).client
        canceled = client.request("POST", "/shutdown", json={"force": force})["canceled"]
    except HubUnreachable:
        if not force:
            raise
    _wait_for_end(info, force)
    said = f" {len(canceled)} jobs were canceled." if canceled else ""
    emit({"state": "stopped", "canceled": canceled}, as_json, f"Stopped.{said}")


def _left_running(folder: WorkspaceFolder) -> bool:
    """Is an MLflow server, a cluster or a kernel alive?"""
    for path in (
        folder.mlflow / "server.json",
        *folder.compute.glob("*/process.json"),
        *folder.compute.glob("local/kernels/*/process.json"),
    ):
        try:
            known = json.loads(path.read_text())
            if is_alive(RunnerProcess.model_validate(known.get("process", known))):
                return True
        except (OSError, ValueError, KeyError):
            continue
    return False


def _wait_for_end(info: HubInfo, force: bool) -> None:
    process = RunnerProcess(pid=info.pid, start_time=info.start_time, boot_id=info.boot_id)
    deadline = time.monotonic() + STOP_LIMIT
    while is_alive(process):
        if time.monotonic() > deadline:
            if not force:
                raise PerijoveError(
                    f"The hub (pid {info.pid}) does not stop.", remedy="Use --force."
                )
            os.kill(info.pid, signal.SIGKILL)
        time.sleep(0.02)


@click.command()
@common
def status(workspace: str | None, as_json: bool) -> None:
    """Say what runs."""
    folder = workspace_folder(workspace)
    if find_hub(folder) is None:
        stopped = HubStatus(state="stopped", home=str(folder.home), workspace=folder.name)
        emit(stopped, as_json, f"Workspace {folder.name} is not up. Start it: perijove up.")
        return
    found = Workspace(workspace, start=False).status()
    jobs = ", ".join(f"{count} {state(name)}" for name, count in found.jobs.items()) or "none"
    targets = [
        [t.name, t.kind, f"{t.running_jobs} of {t.slots} busy", str(t.queued_jobs)]
        for t in found.targets
    ]
    emit(
        found,
        as_json,
        f"Workspace {found.workspace} is {state(found.state)} at {found.url} (pid {found.pid})\n"
        f"MLflow {found.tracking_state} at {found.tracking_uri}\n"
        f"Jobs: {jobs}\n\n" + table(["TARGET", "KIND", "SLOTS", "QUEUED"], targets),
    )
