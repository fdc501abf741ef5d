"""A job as a card that lives in a cell's output and keeps its last state in the saved notebook."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime
from html import escape
from typing import Any

from perijove.client.http import HubClient
from perijove.client.jobs import Job
from perijove.errors import PerijoveError
from perijove.models.events import EventType
from perijove.models.jobs import Job as JobData

COLOURS = {
    "succeeded": "var(--jp-success-color1, #388e3c)",
    "failed": "var(--jp-error-color1, #d32f2f)",
    "canceled": "var(--jp-ui-font-color3, #9e9e9e)",
    "queued": "var(--jp-ui-font-color3, #9e9e9e)",
}
ACTIVE = "var(--jp-brand-color1, #1976d2)"
SHOWN_METRICS = 6


def show(job: Job) -> None:
    """Display the card; a thread keeps it up to date until the job is over.

    Without a front end, in plain Python or a terminal, the job is printed.
    """
    from IPython.core.getipython import get_ipython
    from IPython.display import display

    if not hasattr(get_ipython(), "kernel"):
        print(repr(job))
        return
    handle: Any = display(_bundle(job, {}), raw=True, display_id=True)
    if job.data.recorded:
        return
    # a client of its own: connections are not shared between threads
    own = Job(HubClient(job.client.folder), job.data)
    threading.Thread(target=_follow, args=(own, handle), daemon=True, name="job card").start()


def _follow(job: Job, handle: Any) -> None:
    metrics: dict[str, Any] = {}
    with suppress(PerijoveError):
        for event in job.events():
            if event.type is EventType.METRIC:
                metrics[str(event.data["key"])] = event.data["value"]
            elif event.type not in (EventType.STATE, EventType.CELL_FINISHED, EventType.RECORDED):
                continue
            job.refresh()
            handle.update(_bundle(job, metrics), raw=True)
    job.client.close()


def _bundle(job: Job, metrics: dict[str, Any]) -> dict[str, str]:
    return {"text/html": render(job.data, metrics), "text/plain": repr(job)}


def render(job: JobData, metrics: dict[str, Any]) -> str:
    """The card as HTML; everything of the user's is escaped."""
    state = job.state.value
    colour = COLOURS.get(state, ACTIVE)
    done, total = job.progress.done, job.progress.total
    width = 100 * done / total if total else (100 if job.state.terminal else 0)
    facts = [f"cell {done} of {total}" if total else "", _took(job), _text(job.compute)]
    facts.append(f"experiment {_text(job.experiment)}")
    listed = list(metrics.items())[-SHOWN_METRICS:]
    values = " · ".join(f"{_text(key)} <b>{_figure(value)}</b>" for key, value in listed)
    problem = _text(job.message) if job.message else ""
    return (
        '<div style="max-width:560px;padding:8px 12px;border:1px solid '
        "var(--jp-border-color2,#e0e0e0);border-radius:3px;font-family:var(--jp-ui-font-family,"
        'sans-serif);font-size:13px;color:var(--jp-ui-font-color1,#333)">'
        f'<div><span style="display:inline-block;width:9px;height:9px;border-radius:50%;'
        f'margin-right:8px;background:{colour}"></span>'
        f'<b style="color:var(--jp-ui-font-color0,#111)">{_text(job.name)}</b> '
        f'<span style="color:{colour}">{escape(state)}</span>'
        f'<code style="float:right;color:var(--jp-ui-font-color2,#777)">{job.id[:8]}</code></div>'
        '<div style="height:3px;margin:6px 0;border-radius:2px;background:'
        f'var(--jp-layout-color3,#e0e0e0)"><div style="height:3px;width:{width:.0f}%;'
        f'border-radius:2px;background:{colour}"></div></div>'
        '<div style="color:var(--jp-ui-font-color2,#777);font-size:12px">'
        f"{' · '.join(fact for fact in facts if fact)}</div>"
        + (f'<div style="margin-top:4px">{values}</div>' if values else "")
        + (f'<div style="margin-top:4px;color:{colour}">{problem}</div>' if problem else "")
        + "</div>"
    )


def _text(text: str) -> str:
    """Text of the user's: no markup, and its direction does not leave it."""
    return f"<bdi>{escape(text)}</bdi>"


def _took(job: JobData) -> str:
    if job.started_at is None:
        return ""
    seconds = ((job.ended_at or datetime.now(UTC)) - job.started_at).total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} m {int(seconds % 60)} s"


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, (int, float)) else _text(str(value))
