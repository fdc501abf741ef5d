"""``perijove model``."""

from __future__ import annotations

from typing import Any

import click

from perijove.cli.output import Frame, ago, emit, say, table, tell, writing
from perijove.cli.parameters import tagged
from perijove.cli.program import common
from perijove.client.models import Model, Version
from perijove.client.runs import side_by_side
from perijove.client.workspace import Workspace
from perijove.errors import InvalidInput
from perijove.models.registry import ModelFacts, SignatureColumn

HEAD = ["NAME", "LATEST", "VERSIONS", "ALIASES", "CHANGED"]
VERSIONS = ["VERSION", "ALIASES", "CREATED", "RUN", "METRICS"]
WIDTH = 60
"""Characters of a cell."""
SHOWN = 4
"""Metrics of a version in a table."""


@click.group()
def model() -> None:
    """Registered models, their versions and aliases."""


@model.command("list")
@click.option("--archived", is_flag=True, help="Also those that are archived.")
@common
def list_models(archived: bool, workspace: str | None, as_json: bool) -> None:
    """List the registered models, those changed last first."""
    found = Workspace(workspace).models.list(archived=archived)
    _tell(found, as_json, frame=found.dataframe)


@model.command()
@click.argument("filter")
@click.option("--archived", is_flag=True, help="Also those that are archived.")
@common
def search(filter: str, archived: bool, workspace: str | None, as_json: bool) -> None:
    """List the models that FILTER, in MLflow's language, is true of: "name LIKE 'churn%'"."""
    found = Workspace(workspace).models.list(filter, archived)
    _tell(found, as_json, none="There are no such models.", frame=found.dataframe)


@model.command()
@click.argument("name")
@click.argument("version", required=False)
@common
def show(name: str, version: str | None, workspace: str | None, as_json: bool) -> None:
    """Show the model NAME with its versions, or one VERSION (a number or @alias)."""
    found = Workspace(workspace).models.get(name)
    if version is not None:
        one = found.version(version)
        facts = one.facts()
        shown = one.data.model_dump(mode="json") | {"facts": facts.model_dump(mode="json")}
        emit(shown, as_json, table(VERSIONS, [_row(one)]))
        if not as_json:
            lines = {
                "flavors": ", ".join(facts.flavors),
                "inputs": _signature(facts.inputs),
                "outputs": _signature(facts.outputs),
                "tags": _tags(one.data.tags),
                "description": one.data.description or "",
            }
            for key, value in lines.items():
                if value:
                    tell(f"{key}: {value}")
            for warning in facts.warnings:
                say(f"warning: {warning}")
        return
    versions = found.versions
    listed = [other.data.model_dump(mode="json") for other in versions]
    emit(
        found.data.model_dump(mode="json") | {"all_versions": listed},
        as_json,
        table(VERSIONS, [_row(other) for other in versions]),
        versions.dataframe,
    )
    if not as_json:
        for alias in found.data.aliases:
            why = f": {alias.reason}" if alias.reason else ""
            tell(f"{alias.alias} → version {alias.version}{why}")
        for text in (_tags(found.data.tags), found.data.description):
            if text:
                tell(text)


@model.command()
@click.argument("name")
@click.option("--run", metavar="ID", help="A run that has logged it.")
@click.option("--path", default="model", show_default=True, help="What the run has logged it as.")
@click.option("--model", "model_id", metavar="ID", help="A logged model (m-…).")
@click.option("--file", "files", multiple=True, metavar="PATH", help="A file or folder; repeat.")
@click.option("--flavor", help="Of files without an MLmodel: sklearn, onnx, lightgbm, xgboost …")
@click.option("--description", help="Markdown.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Repeat for more.")
@click.option("--alias", help="Point this alias at it.")
@common
def register(
    name: str,
    run: str | None,
    path: str,
    model_id: str | None,
    files: tuple[str, ...],
    flavor: str | None,
    description: str | None,
    tags: tuple[str, ...],
    alias: str | None,
    workspace: str | None,
    as_json: bool,
) -> None:
    """Register a version of the model NAME, which is made if there is none."""
    if sum(map(bool, (run, model_id, files))) != 1:
        raise InvalidInput(
            "A version is registered from exactly one of --run, --model and --file.", field="run"
        )
    place = Workspace(workspace)
    made = place.models.register(
        name,
        run=None if run is None else place.runs.get(run),
        path=path,
        model=model_id,
        files=list(files) or None,
        flavor=flavor,
        description=description,
        tags={key: value for key, value in map(_pair, tags) if value is not None},
        alias=alias,
    )
    emit(made.data, as_json, table(VERSIONS, [_row(made)]))


@model.command()
@click.argument("name")
@click.argument("alias")
@click.argument("version", required=False)
@click.option("--reason", help="Kept with the alias.")
@click.option("--expected", metavar="VERSION", help="Only if it points there until now.")
@click.option("--remove", is_flag=True, help="Remove the alias.")
@common
def alias(
    name: str,
    alias: str,
    version: str | None,
    reason: str | None,
    expected: str | None,
    remove: bool,
    workspace: str | None,
    as_json: bool,
) -> None:
    """Point ALIAS of the model NAME at VERSION."""
    if remove == (version is not None):
        raise InvalidInput("Give a VERSION, or --remove.", field="version")
    found = Workspace(workspace).models.get(name)
    if version is None:
        found.remove_alias(alias)
    else:
        found.alias(alias, version, reason=reason, expected=expected)
    _tell([found], as_json, one=True)


@model.command()
@click.argument("name")
@click.argument("tags", nargs=-1, required=True, metavar="NAME=TEXT|NAME-…")
@click.option("--version", help="Tag this version instead of the model.")
@common
def tag(
    name: str, tags: tuple[str, ...], version: str | None, workspace: str | None, as_json: bool
) -> None:
    """Set tags (NAME=TEXT) or remove them (NAME-)."""
    given = {key: value or None for key, value in tagged(tags).items()}
    found = Workspace(workspace).models.get(name)
    data = (found if version is None else found.version(version)).tag(**given).data
    emit(data, as_json, _tags(data.tags) or f"{name} has no tags.")


@model.command()
@click.argument("name")
@click.option("--version", help="A version, not the model.")
@click.option("--undo", is_flag=True, help="Show it again.")
@common
def archive(
    name: str, version: str | None, undo: bool, workspace: str | None, as_json: bool
) -> None:
    """Hide a model, or one version."""
    found = Workspace(workspace).models.get(name)
    if version is None:
        _tell([found.archive(not undo)], as_json, one=True)
    else:
        done = found.version(version).archive(not undo).data
        emit(
            done,
            as_json,
            f"{name} version {done.version} is {'shown again' if undo else 'hidden'}.",
        )


@model.command()
@click.argument("name")
@click.option("--version", help="A version, not the model.")
@click.pass_context
@common
def restore(
    context: click.Context, name: str, version: str | None, workspace: str | None, as_json: bool
) -> None:
    """Show again what was archived: a model, or one version."""
    context.invoke(
        archive, name=name, version=version, undo=True, workspace=workspace, as_json=as_json
    )


@model.command()
@click.argument("name")
@click.argument("version")
@click.argument("dir")
@common
def download(name: str, version: str, dir: str, workspace: str | None, as_json: bool) -> None:
    """Copy the files of a version (a number or @alias) into DIR."""
    found = Workspace(workspace).models.get(name).version(version)
    with writing(dir):
        folder = found.download(dir)
    shown = {"name": name, "version": found.data.version, "path": str(folder)}
    emit(shown, as_json, str(folder))


@model.command()
@click.argument("name")
@click.option("--version", help="A version, not the model.")
@click.option("--force", is_flag=True, help="Even if something uses it.")
@common
def delete(
    name: str, version: str | None, force: bool, workspace: str | None, as_json: bool
) -> None:
    """Delete a model, or one version, for good."""
    found = Workspace(workspace).models.get(name)
    if version is None:
        found.delete(force)
    else:
        found.version(version).delete(force)
    emit({"name": name, "version": version, "state": "deleted"}, as_json)
    say(f"{name}{f' version {version}' if version else ''} is deleted.")


@model.command()
@click.argument("name")
@click.argument("versions", nargs=-1, required=True)
@common
def compare(name: str, versions: tuple[str, ...], workspace: str | None, as_json: bool) -> None:
    """Lay versions of the model NAME side by side: metrics, parameters, signatures."""
    found = Workspace(workspace).models.get(name)
    listed = [found.version(version) for version in versions]
    facts = [one.facts() for one in listed]
    shown = [
        one.data.model_dump(mode="json") | {"facts": said.model_dump(mode="json")}
        for one, said in zip(listed, facts, strict=True)
    ]
    lines = _differences(listed, facts)
    rows = [
        ["≠" if differ else "", key, *(_figure(value)[:WIDTH] for value in values)]
        for key, values, differ in lines
    ]
    head = ["", "", *(f"V{one.data.version}" for one in listed)]
    numbers = [one.data.version for one in listed]
    emit(shown, as_json, table(head, rows), lambda: side_by_side(lines, numbers))


def _differences(
    listed: list[Version], facts: list[ModelFacts]
) -> list[tuple[str, list[Any], bool]]:
    """(name, a value of each version or None, do they differ), in the order of a version's page."""
    lines: dict[str, list[Any]] = {}
    for index, (one, said) in enumerate(zip(listed, facts, strict=True)):
        cells: dict[str, Any] = {f"metrics.{key}": v for key, v in one.data.metrics.items()}
        cells |= {f"params.{key}": value for key, value in one.data.params.items()}
        cells |= {"inputs": _signature(said.inputs), "outputs": _signature(said.outputs)}
        cells["flavors"] = ", ".join(said.flavors)
        for key, value in cells.items():
            lines.setdefault(key, [None] * len(listed))[index] = value
    return [(key, row, len({str(value) for value in row}) > 1) for key, row in lines.items()]


def _tell(
    found: list[Model],
    as_json: bool,
    one: bool = False,
    none: str = "No models yet. Register one: perijove model register NAME --run RUN_ID",
    frame: Frame | None = None,
) -> None:
    rows = []
    for item in found:
        aliases = ", ".join(f"{a}→{v}" for a, v in item.aliases.items())
        latest = item.data.latest_version or "–"
        changed = ago(item.data.updated_at)
        name = _named(item.name, item.data.archived)
        rows.append([name, latest, str(item.data.versions), aliases or "–", changed])
    shown: Any = found[0].data if one else [item.data for item in found]
    emit(shown, as_json, table(HEAD, rows) if rows else none, frame)


def _row(found: Version) -> list[str]:
    data = found.data
    metrics = [f"{k}={_figure(v)}" for k, v in list(data.metrics.items())[:SHOWN]]
    aliases = ", ".join(data.aliases) or "–"
    return [
        _named(data.version, data.archived),
        aliases,
        ago(data.created_at),
        data.run_name or data.run_id or "–",
        " ".join(metrics) or "–",
    ]


def _named(name: str, archived: bool) -> str:
    return f"{name} (archived)" if archived else name


def _tags(tags: dict[str, str]) -> str:
    return "  ".join(f"{key}={text}" for key, text in sorted(tags.items()))


def _figure(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _signature(columns: list[SignatureColumn]) -> str:
    return ", ".join(f"{column.name or '-'}: {column.type}" for column in columns[:30])


def _pair(text: str) -> tuple[str, str | None]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InvalidInput(f"{text[:80]!r} is no KEY=VALUE.", field="tag")
    return key, value
