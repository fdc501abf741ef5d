"""``perijove job``."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from perijove.cli.output import ago, duration, emit, is_terminal, plain, say, state, table, writing
from perijove.cli.parameters import collect
from perijove.cli.program import common
from perijove.cli.progress import watch
from perijove.cli.reading import read_text
from perijove.client.jobs import Job
from perijove.client.sources import locate
from perijove.client.workspace import Workspace
from perijove.errors import InvalidInput, PerijoveError
from perijove.models.compute import TargetState
from perijove.models.definitions import (
    definition_path,
    dump_definition,
    make_definition,
    parse_definition,
)
from perijove.models.jobs import JobDefinition, JobState

PARAMETER_OPTIONS = (
    click.option(
        "-p",
        "--parameters",
        "typed",
        multiple=True,
        metavar="NAME=VALUE",
        help="A parameter, typed as papermill does.",
    ),
    click.option(
        "-r",
        "--parameters_raw",
        "raw",
        multiple=True,
        metavar="NAME=TEXT",
        help="A parameter that stays text.",
    ),
    click.option(
        "-y", "--parameters_yaml", "yaml", multiple=True, metavar="YAML", help="Parameters as YAML."
    ),
    click.option(
        "-b",
        "--parameters_base64",
        "encoded",
        multiple=True,
        metavar="BASE64",
        help="The same in base64.",
    ),
)
EXIT = {"succeeded": 0, "failed": 1, "canceled": 130}


def parameter_options(command: Any) -> Any:
    """papermill's four ways to give parameters."""
    for option in reversed(PARAMETER_OPTIONS):
        command = option(command)
    return command


@click.group()
def job() -> None:
    """Jobs: notebooks and scripts that run, whatever happens to who asked."""


@job.command()
@click.argument("path", required=False)
@parameter_options
@click.option("-f", "--file", "file", metavar="JOB.YAML", help="A saved run configuration.")
@click.option("--name", help="Shown in lists.")
@click.option("--compute", metavar="TARGET", help="Where it runs [default: local].")
@click.option("--experiment", metavar="NAME", help="MLflow experiment.")
@click.option(
    "--environment",
    metavar="NAME",
    help="NAME, NAME:VERSION, a kernelspec or a virtual environment's path "
    "[default: the notebook's kernelspec].",
)
@click.option("--timeout", type=float, metavar="SECONDS", help="Per attempt.")
@click.option("--retries", type=int, metavar="N", help="Further attempts after a failure.")
@click.option("--cpus", type=int, metavar="N", help="CPUs it needs of a node [default: 1].")
@click.option("--memory", metavar="SIZE", help="Memory it needs of a node, for example 2GiB.")
@click.option("--gpus", type=int, metavar="N", help="GPUs it needs of a node [default: 0].")
@click.option("--priority", type=int, metavar="N", help="Higher ones begin first [default: 0].")
@click.option("--tag", "tags", multiple=True, metavar="NAME=TEXT", help="A tag.")
@click.option("--save", is_flag=True, help="Write <stem>.job.yaml beside the notebook.")
@click.option("--wait", "wait_for_it", is_flag=True, help="Wait for its end; exit 0, 1 or 130.")
@click.option("--dry-run", is_flag=True, help="Print the attempt that would be launched.")
@common
def submit(
    path: str | None,
    typed: tuple[str, ...],
    raw: tuple[str, ...],
    yaml: tuple[str, ...],
    encoded: tuple[str, ...],
    file: str | None,
    tags: tuple[str, ...],
    save: bool,
    wait_for_it: bool,
    dry_run: bool,
    workspace: str | None,
    as_json: bool,
    **fields: Any,
) -> int:
    """Submit the notebook or script PATH."""
    definition = define(path, file, collect(typed, raw, yaml, encoded), tags, fields)
    ws = Workspace(workspace)
    if dry_run:
        planned = ws.jobs.dry_run(definition)
        attempt = planned.attempt | {"environ": _without_secrets(planned.attempt["environ"])}
        # what would be launched is what this prints, so it looks the same for people
        emit({"job": plain(planned.job), "attempt": attempt}, True)
        return 0
    submitted = ws.jobs.submit(definition)
    _say_why_it_waits(ws, submitted)
    if save:
        target = definition_path(Path(definition.root) / definition.path)
        try:
            target.write_text(dump_definition(definition), encoding="utf-8")
            say(f"Saved {target}.")
        except OSError as error:  # the job runs all the same
            say(f"{target} cannot be written: {error.strerror}.")
    if not wait_for_it:
        emit(submitted.data, as_json, f"Submitted {submitted.id} ({submitted.data.name}).")
        return 0
    return _wait(submitted, as_json)


def define(
    path: str | None,
    file: str | None,
    parameters: dict[str, Any],
    tags: tuple[str, ...],
    fields: dict[str, Any],
) -> JobDefinition:
    """What the options and the YAML file say together; the options win."""
    given: dict[str, Any] = {}
    if file is not None:
        given = parse_definition(read_text(file, "-f")).model_dump(mode="json", exclude_unset=True)
        if path is None:
            path = str(Path(file).parent / given["path"])
    if path is None:
        raise InvalidInput("A PATH is needed, or -f JOB.YAML that names one.", field="path")
    root, relative = locate(path)
    given |= {"root": root, "path": relative}
    given |= {key: value for key, value in fields.items() if value is not None}
    given["parameters"] = given.get("parameters", {}) | parameters
    for tag in tags:
        key, sign, value = tag.partition("=")
        if not sign:
            raise InvalidInput(f"--tag must be name=text, not {tag[:80]!r}.", field="--tag")
        given.setdefault("tags", {})[key] = value
    return make_definition(given)


def _without_secrets(environ: Any) -> dict[str, str]:
    return {k: "(hidden)" if k.endswith(("TOKEN", "PASSWORD")) else v for k, v in environ.items()}


def _say_why_it_waits(ws: Workspace, waiting: Job) -> None:
    """That its target does not run, if that is so."""
    if waiting.data.state not in (JobState.QUEUED, JobState.PREPARING):
        return
    with suppress(PerijoveError):  # both may be deleted meanwhile
        target = ws.compute.get(waiting.data.compute).data
        if target.state is not TargetState.RUNNING:
            why = f": {target.message}" if target.message else "."
            say(f"The job waits: {target.name} {target.state.said}{why}")


def _wait(waited: Job, as_json: bool) -> int:
    try:
        watch(waited)
    except KeyboardInterrupt:
        say(f"\nThe job goes on. Cancel it: perijove job cancel {waited.id}")
        if as_json:
            with suppress(PerijoveError):
                waited.refresh()  # it has gone on since it was submitted
            emit(waited.data, True)
        return 130
    emit(waited.data, as_json, _outcome(waited))
    return EXIT[waited.data.state.value]


def _outcome(ended: Job) -> str:
    data = ended.data
    lines = [
        f"{data.name} {state(data.state.value)} after {duration(data.started_at, data.ended_at)}"
    ]
    if data.message:
        lines.append(f"  {data.message}")
    if data.run_id:
        uri = ended.client.info.tracking_uri
        lines.append(f"  run       {data.run_id} in experiment {data.experiment}")
        try:
            metrics = ended.run.metrics
        except Exception:
            metrics = {}
        lines += [f"  metric    {key} = {value:.6g}" for key, value in sorted(metrics.items())[:12]]
        if data.experiment_id:
            # signs the browser in once; the token does not stay in its address
            sign_in = f"?token={ended.client.info.token}" if is_terminal() else ""
            path = f"#/experiments/{data.experiment_id}/runs/{data.run_id}"
            lines.append(f"  MLflow    {uri}/{sign_in}{path}")
    if data.output_notebook:
        lines.append(f"  notebook  {data.output_notebook}")
    return "\n".join(lines)


@job.command("list")
@click.option("--state", "wanted", type=click.Choice([s.value for s in JobState]))
@click.option("--experiment", metavar="NAME")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@common
def list_jobs(
    wanted: str | None, experiment: str | None, limit: int, workspace: str | None, as_json: bool
) -> None:
    """List jobs, newest first."""
    listed = Workspace(workspace).jobs.list(wanted, limit, experiment)
    found = [j.data for j in listed]
    rows = [
        [
            j.id[:8],
            j.name,
            state(j.state.value) + (f" ({j.reason.value})" if j.reason else ""),
            f"{j.progress.done}/{j.progress.total}",
            duration(j.started_at, j.ended_at),
            ago(j.created_at),
            j.experiment,
        ]
        for j in found
    ]
    head = ["ID", "NAME", "STATE", "CELLS", "TOOK", "SUBMITTED", "EXPERIMENT"]
    human = (
        table(head, rows) if rows else "No jobs yet. Submit one: perijove job submit train.ipynb"
    )
    emit(found, as_json, human, lambda: listed)


@job.command()
@click.argument("job_id")
@common
def show(job_id: str, workspace: str | None, as_json: bool) -> None:
    """Show a job."""
    ws = Workspace(workspace)
    shown = ws.jobs.get(job_id)
    found = shown.data
    rows = [[k, _told(v)] for k, v in plain(found).items() if v not in (None, {}, [])]
    emit(found, as_json, "\n".join(f"{click.style(k.ljust(17), bold=True)} {v}" for k, v in rows))
    _say_why_it_waits(ws, shown)


def _told(value: Any) -> str:
    """A field of a job, for people: ``done=3 total=7``."""
    if isinstance(value, dict):
        return " ".join(f"{key}={_told(item)}" for key, item in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@job.command()
@click.argument("job_id")
@common
def wait(job_id: str, workspace: str | None, as_json: bool) -> int:
    """Wait for a job's end; exit 0, 1 or 130 like submit --wait."""
    return _wait(Workspace(workspace).jobs.get(job_id), as_json)


@job.command()
@click.argument("job_id")
@click.option("--follow", is_flag=True, help="Go on until the job is over.")
@common
def logs(job_id: str, follow: bool, workspace: str | None, as_json: bool) -> None:
    """Print a job's log."""
    found = Workspace(workspace).jobs.get(job_id)
    if as_json:
        emit({"id": found.id, "log": "".join(found.logs(follow=follow))}, True)
        return
    for piece in found.logs(follow=True) if follow else [found.logs()]:
        click.echo(piece, nl=False)


@job.command()
@click.argument("job_id")
@common
def cancel(job_id: str, workspace: str | None, as_json: bool) -> None:
    """Cancel a job and wait until it is gone."""
    found = Workspace(workspace).jobs.get(job_id).cancel()
    found._wait(60, "terminal")
    emit(found.data, as_json, f"{found.data.name} is {state(found.data.state.value)}.")


@job.command()
@click.argument("job_id")
@parameter_options
@click.option("--wait", "wait_for_it", is_flag=True, help="Wait for its end; exit 0, 1 or 130.")
@common
def rerun(
    job_id: str,
    typed: tuple[str, ...],
    raw: tuple[str, ...],
    yaml: tuple[str, ...],
    encoded: tuple[str, ...],
    wait_for_it: bool,
    workspace: str | None,
    as_json: bool,
) -> int:
    """Run a job's snapshot again, with some parameters changed."""
    again = Workspace(workspace).jobs.get(job_id).rerun(collect(typed, raw, yaml, encoded))
    if wait_for_it:
        return _wait(again, as_json)
    emit(again.data, as_json, f"Submitted {again.id} ({again.data.name}).")
    return 0


@job.command()
@click.argument("job_id")
@click.argument("folder")
@common
def download(job_id: str, folder: str, workspace: str | None, as_json: bool) -> None:
    """Copy a job's files below FOLDER."""
    with writing(folder):
        copied = Workspace(workspace).jobs.get(job_id).download(folder)
    paths = [str(path) for path in copied]
    emit({"files": paths}, as_json, "\n".join(paths) or "The job has no files.")


@job.command()
@click.argument("job_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
def delete(job_id: str, yes: bool, workspace: str | None, as_json: bool) -> None:
    """Delete a job and its files; its MLflow run stays."""
    found = Workspace(workspace).jobs.get(job_id)
    if not (yes or as_json) and is_terminal():
        click.confirm(
            f"Delete job {found.data.name} ({found.id[:8]}) and its files?", abort=True, err=True
        )
    report = found.delete()
    emit(report, as_json, report.message)
