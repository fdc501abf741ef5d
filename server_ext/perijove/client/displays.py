"""Things of a workspace as HTML that needs nobody: what a saved notebook or an export keeps.

The shapes are those of the hub's API. Everything of the user's is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import isfinite
from typing import Any

COLOURS = {
    "ok": "var(--jp-success-color1, #388e3c)",
    "error": "var(--jp-error-color1, #d32f2f)",
    "running": "var(--jp-brand-color1, #1976d2)",
    "waiting": "var(--jp-ui-font-color3, #9e9e9e)",
}
TONES = {
    "succeeded": "ok", "FINISHED": "ok", "READY": "ok", "ready": "ok",
    "failed": "error", "FAILED": "error", "FAILED_REGISTRATION": "error", "unusable": "error",
    "queued": "waiting", "canceled": "waiting", "KILLED": "waiting", "SCHEDULED": "waiting",
    "stopped": "waiting",
}  # fmt: skip
LINES = ("#1976d2", "#388e3c", "#f57c00", "#8e24aa", "#c2185b", "#00838f", "#6d4c41", "#546e7a")
"""Colours of lines, in the order of the runs."""
ROWS = 20
COLUMNS = 8
FONT = (
    "font-family:var(--jp-ui-font-family,sans-serif);font-size:13px;"
    "color:var(--jp-ui-font-color1,#333)"
)
SIDE, HEIGHT, PAD = 420, 150, 6
"""Pixels of a chart."""


def jobs(found: Sequence[Mapping[str, Any]], empty: str = "No jobs yet.") -> str:
    """Jobs as a table. `empty`: what it says of none."""
    rows = [
        [dot(job["state"]) + text(job["name"]), job["id"][:8], text(job["reason"] or job["state"]),
         text(job["compute"]), text(job["experiment"]), when(job["created_at"])]
        for job in found[:ROWS]
    ]  # fmt: skip
    head = ["job", "id", "state", "compute", "experiment", "submitted"]
    return table(head, rows, len(found), empty)


def targets(found: Sequence[Mapping[str, Any]]) -> str:
    """Compute targets as a table."""
    rows = [
        [dot(each["state"]) + text(each["name"]), text(each["kind"]), text(each["state"]),
         str(each["current_nodes"]), str(each["running_jobs"]), str(each["queued_jobs"]),
         f"{each['node_hours']:.2f}"]
        for each in found
    ]  # fmt: skip
    head = ["compute", "kind", "state", "nodes", "running", "queued", "node-hours"]
    return table(head, rows, len(found))


def runs(found: Sequence[Mapping[str, Any]], total: int, columns: Sequence[str] | None) -> str:
    """Runs as a table of chosen columns (``metrics.auc``); None: what most of them have."""
    chosen = list(columns) if columns is not None else common_columns(found)
    rows = [
        [dot(run["status"]) + text(run["name"]), when(run["started_at"])]
        + [value(run, column) for column in chosen]
        for run in found[:ROWS]
    ]
    names = titles([(kind, key.strip("`")) for kind, _, key in (c.partition(".") for c in chosen)])
    return table(["run", "started", *names], rows, total)


def titles(columns: Sequence[tuple[str, str]]) -> list[str]:
    """The keys of (kind, key) pairs; with the kind, where two are the same."""
    keys = [key for _, key in columns]
    words = {"metrics": "metric", "params": "parameter", "tags": "tag", "attributes": "attribute"}
    return [
        key if keys.count(key) == 1 else f"{key} ({words.get(kind, kind)})" for kind, key in columns
    ]


def common_columns(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The metrics and parameters that most of the runs have, metrics first."""
    listed = []
    for kind in ("metrics", "params"):
        counts: dict[str, int] = {}
        for run in found:
            for key in run[kind]:
                counts[key] = counts.get(key, 0) + (not key.startswith("system/"))
        common = sorted((key for key in counts if counts[key]), key=lambda key: -counts[key])
        listed.append([f"{kind}.{key}" for key in common[: COLUMNS // 2]])
    return [*listed[0], *listed[1]]


def value(run: Mapping[str, Any], column: str) -> str:
    """A run's value in a column, escaped."""
    kind, _, key = column.partition(".")
    found = run.get(kind, {}).get(key.strip("`")) if kind != "attributes" else run.get(key)
    return "–" if found is None else figure(found)


def run(found: Mapping[str, Any]) -> str:
    """A run: a head, and its metrics and parameters beside each other."""
    head = (
        f"<div>{dot(found['status'])}<b>{text(found['name'])}</b> "
        f"<code>{escape(found['run_id'][:8])}</code> {text(found.get('experiment_name') or '')}"
        "</div>"
    )
    parts = [
        table([kind, ""], [[text(k), figure(v)] for k, v in sorted(found[kind].items())][:ROWS],
              len(found[kind]))
        for kind in ("params", "metrics") if found[kind]
    ]  # fmt: skip
    return f'<div style="{FONT}">{head}</div>' + "".join(parts)


def differences(found: Sequence[Mapping[str, Any]]) -> str:
    """Parameters and metrics of runs side by side; only what is not the same in all of them."""
    columns = [
        (kind, key)
        for kind in ("params", "metrics")
        for key in sorted({key for each in found for key in each[kind]})
    ]
    rows = []
    for (kind, key), title in zip(columns, titles(columns), strict=True):
        values = [each[kind].get(key) for each in found]
        if len(set(map(str, values))) > 1 or len(found) == 1:
            cells = ["–" if each is None else figure(each) for each in values]
            rows.append([text(title), *cells])
    head = ["", *(each["name"] for each in found)]
    return table(head, rows[:ROWS], len(rows), "No differences." if found else "")


def models(found: Sequence[Mapping[str, Any]]) -> str:
    """Registered models as a table."""
    rows = [
        [text(each["name"]) + archived(each), text(each["latest_version"] or "–"),
         aliases(each["aliases"]),
         when(each["updated_at"])]
        for each in found[:ROWS]
    ]  # fmt: skip
    return table(["model", "latest", "aliases", "changed"], rows, len(found))


def versions(found: Sequence[Mapping[str, Any]]) -> str:
    """Versions of a model as a table; nothing for none."""
    if not found:
        return ""
    rows = [
        [dot(each["status"]) + text(each["version"]) + archived(each),
         text(", ".join(each["aliases"])),
         text(each["run_name"] or ""), when(each["created_at"]),
         ", ".join(f"{text(k)} {figure(v)}" for k, v in list(each["metrics"].items())[:4])]
        for each in found[:ROWS]
    ]  # fmt: skip
    return table(["version", "aliases", "run", "registered", "metrics"], rows, len(found))


def archived(found: Mapping[str, Any]) -> str:
    """A word beside what is archived."""
    return " <small>archived</small>" if found["archived"] else ""


def aliases(found: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(f"{text(each['alias'])} → {text(each['version'])}" for each in found)


def figures(found: Sequence[Mapping[str, Any]]) -> str:
    """A few figures in a row."""
    tiles = "".join(
        f'<div style="padding:4px 24px 4px 0"><div style="font-size:22px;'
        f'color:{COLOURS.get(each["tone"], "inherit")}">{escape(each["value"])}</div>'
        f"{escape(each['label'])}</div>"
        for each in found
    )
    return f'<div style="display:flex;flex-wrap:wrap;{FONT}">{tiles}</div>'


def environments(found: Sequence[Mapping[str, Any]]) -> str:
    """Environments as a table."""
    rows = [
        [dot(each["state"]) + text(each["name"]),
         *("–" if each[key] is None else text(str(each[key])) for key in ("version", "python")),
         text(each["state"])]
        for each in found[:ROWS]
    ]  # fmt: skip
    return table(["environment", "version", "python", "state"], rows, len(found))


def experiments(found: Sequence[Mapping[str, Any]]) -> str:
    """Experiments as a table."""
    rows = [
        [text(each["id"]), text(each["name"]),
         *("–" if each[key] is None else str(each[key]) for key in ("runs", "running")),
         when(each["last_run_at"])]
        for each in found[:ROWS]
    ]  # fmt: skip
    return table(["id", "experiment", "runs", "running", "last run"], rows, len(found))


def experiment(found: Mapping[str, Any]) -> str:
    """An experiment: its line of the table, and what is said of it."""
    said = text(found["description"] or "")
    return f'{experiments([found])}<div style="{FONT}">{said}</div>'


def workspace(name: str, status: Mapping[str, Any] | None) -> str:
    """A workspace: where MLflow is, its jobs and its compute; `status` None: no hub runs."""
    if status is None:
        said, lines = "No hub runs; it is started when it is needed.", ""
    else:
        counts = ", ".join(f"{count} {state}" for state, count in status["jobs"].items())
        said = f"MLflow {text(status['tracking_uri'] or '–')}; jobs: {escape(counts) or 'none'}"
        rows = [
            [dot(each["state"]) + text(each["name"]), text(each["kind"]), text(each["state"]),
             str(each["running_jobs"]), str(each["queued_jobs"])]
            for each in status["targets"]
        ]  # fmt: skip
        head = ["compute", "kind", "state", "running", "queued"]
        lines = table(head, rows, len(rows))
    return f'<div style="{FONT}"><b>{text(name)}</b> {said}</div>{lines}'


def charts(found: Sequence[Mapping[str, Any]], history: Sequence[Mapping[str, Any]]) -> str:
    """Metrics over their steps: a picture for each metric, a line for each run."""
    names = {each["run_id"]: each["name"] for each in found}
    lines: dict[str, list[tuple[str, Sequence[int], Sequence[Any]]]] = {}
    for each in history:
        for series in each["series"]:
            line = (names.get(each["run_id"], ""), series["steps"], series["values"])
            lines.setdefault(series["key"], []).append(line)
    drawn = "".join(_chart(key, several) for key, several in sorted(lines.items())[:COLUMNS])
    drawn = drawn or "No metrics yet."
    return f'<div style="display:flex;flex-wrap:wrap;gap:16px;{FONT}">{drawn}</div>'


def _chart(key: str, lines: Sequence[tuple[str, Sequence[int], Sequence[Any]]]) -> str:
    points = [
        [(x, float(y)) for x, y in zip(xs, ys, strict=True)
         if isinstance(y, (int, float)) and isfinite(y)]
        for _, xs, ys in lines
    ]  # fmt: skip
    every = [point for line in points for point in line]
    if not every:
        return (
            f'<figure style="margin:0"><figcaption><b>{text(key)}</b></figcaption>'
            "nothing to draw</figure>"
        )
    left, right = min(x for x, _ in every), max(x for x, _ in every)
    low, high = min(y for _, y in every), max(y for _, y in every)
    drawn = []
    for at, line in enumerate(points):
        places = " ".join(
            f"{PAD + (SIDE - 2 * PAD) * (x - left) / ((right - left) or 1):.1f},"
            f"{HEIGHT - PAD - (HEIGHT - 2 * PAD) * (y - low) / ((high - low) or 1):.1f}"
            for x, y in line
        )
        colour = LINES[at % len(LINES)]
        if len(line) == 1:
            x, _, y = places.partition(",")
            drawn.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>')
        drawn.append(
            f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        )
    legend = " ".join(
        f'<span style="color:{LINES[at % len(LINES)]}">{text(name)}</span>'
        for at, (name, _, _) in enumerate(lines)
    )
    return (
        f'<figure style="margin:0"><figcaption><b>{text(key)}</b> {figure(low)} … {figure(high)}'
        f'</figcaption><svg width="{SIDE}" height="{HEIGHT}" role="img">{"".join(drawn)}</svg>'
        f"<div>{legend}</div></figure>"
    )


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    total: int,
    empty: str = "Nothing yet.",
) -> str:
    """A table of escaped cells; `head` is escaped here. More than the rows: it says so. `empty`:
    what it says without rows."""
    cell = "padding:3px 12px 3px 0;text-align:left;border-bottom:1px solid "
    cell += "var(--jp-border-color2,#e0e0e0)"
    first = "".join(f'<th style="{cell}">{text(name)}</th>' for name in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="{cell}">{each}</td>' for each in row) + "</tr>"
        for row in rows
    )
    more = f"<div>{len(rows)} of {total}</div>" if total > len(rows) else ""
    none = f"<div>{escape(empty)}</div>" if not rows else ""
    return (
        f'<div style="{FONT}"><table style="border-collapse:collapse;margin:4px 0">'
        f"<thead><tr>{first}</tr></thead><tbody>{body}</tbody></table>{more}{none}</div>"
    )


def dot(state: str) -> str:
    """A state as a coloured dot."""
    colour = COLOURS[TONES.get(state, "running")]
    return (
        f'<span title="{escape(state)}" style="display:inline-block;width:8px;height:8px;'
        f'border-radius:50%;margin-right:6px;background:{colour}"></span>'
    )


def text(found: str) -> str:
    """Text of the user's: no markup, and its direction does not leave it."""
    return f"<bdi>{escape(found)}</bdi>"


def figure(found: Any) -> str:
    """A number in a few digits; anything else as text."""
    if isinstance(found, float):
        return f"{found:.4g}"
    return text(str(found))


def when(moment: str | None) -> str:
    """``2026-11-21 14:05``."""
    return escape(moment[:16].replace("T", " ")) if moment else "–"
