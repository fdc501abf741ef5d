"""The one stream of a user interface: changed jobs, events of watched jobs, the hub's state."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from perijove.errors import InvalidInput
from perijove.hub.context import Hub, TheHub
from perijove.hub.streams import KEEP_ALIVE, event_seq

router = APIRouter(tags=["events"])
BATCH = 500
"""Jobs in one message of the backlog."""
PACE = 0.1
"""Seconds between two looks: a hundred changes a second are ten messages."""
WATCHES = 50
WATCH = re.compile(r"^([0-9a-f-]{36}):(\d{1,15})$")
SSE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "server-sent events"}
}


@router.get("/events", responses=SSE, response_class=StreamingResponse)
async def events(
    hub: TheHub,
    after: Annotated[int, Query(ge=0, le=2**53, description="the last revision seen")] = 0,
    watch: Annotated[
        list[str] | None, Query(description="<job id>:<last seq seen>", max_length=WATCHES)
    ] = None,
) -> StreamingResponse:
    """Server-sent events: ``jobs``, ``job_event``, ``compute``, ``environments``, ``status``,
    ``tracking``."""
    watched = dict(_watch(item) for item in watch or ())
    return StreamingResponse(
        _stream(hub, after, watched),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _watch(item: str) -> tuple[str, int]:
    found = WATCH.match(item)
    if found is None:
        raise InvalidInput("watch must be <job id>:<number>.", field="watch")
    return found[1], int(found[2])


async def _stream(hub: Hub, after: int, watched: dict[str, int]) -> AsyncIterator[str]:
    offsets = dict.fromkeys(watched, 0)
    noticed = hub.changes.number
    told, listed, built, begins = "", "", "", True
    if after > hub.jobs.store.revision():
        after = 0  # another database: begin anew
    with hub.broker.subscribe() as changed:
        while not hub.broker.closed:
            changed.clear()
            status = hub.status_now().model_dump_json()
            if status != told:
                told = status
                yield f"event: status\ndata: {status}\n\n"
            targets = ",".join(target.model_dump_json() for target in hub.compute.all())
            if targets != listed:
                listed = targets
                yield f"event: compute\ndata: [{targets}]\n\n"
            summaries = hub.environments.catalog.built()
            environments = ",".join(summary.model_dump_json() for summary in summaries)
            if environments != built:
                built = environments
                yield f"event: environments\ndata: [{environments}]\n\n"
            while (jobs := hub.jobs.store.changed_since(after, BATCH)) or begins:
                begins = False  # the first message says that there are none, too
                after = jobs[-1].revision if jobs else after
                changes = ",".join(job.model_dump_json() for job in jobs)
                yield f"event: jobs\nid: {after}\ndata: [{changes}]\n\n"
            if (change := hub.changes.since(noticed)) is not None:
                noticed = hub.changes.number
                yield f"event: tracking\ndata: {change.model_dump_json()}\n\n"
            for job_id in watched:
                for lines in _new_lines(hub, job_id, watched, offsets):
                    # in one piece: a long log has tens of thousands of them
                    yield "".join(f"event: job_event\ndata: {line}\n\n" for line in lines)
            try:
                await asyncio.wait_for(changed.wait(), KEEP_ALIVE)
                await asyncio.sleep(PACE)
            except TimeoutError:
                yield ": \n\n"


def _new_lines(
    hub: Hub, job_id: str, seen: dict[str, int], offsets: dict[str, int]
) -> Iterator[list[str]]:
    while True:
        lines, offsets[job_id] = hub.jobs.logs.read(job_id, offsets[job_id])
        if not lines:
            return
        if fresh := [line for line in lines if event_seq(line) > seen[job_id]]:
            yield fresh
            seen[job_id] = event_seq(fresh[-1])
