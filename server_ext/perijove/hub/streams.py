"""Follows events and logs, as async generators that end when the client or the hub goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from perijove.hub.context import Hub
from perijove.services.logs import event_text

LOG_PACE = 0.3
"""Seconds between two looks at a file that others write."""
KEEP_ALIVE = 15.0
"""Seconds after which a silent stream says that it lives."""


async def follow_events(
    hub: Hub, job_id: str, after: int, follow: bool
) -> AsyncIterator[list[str]]:
    """Batches of event lines with numbers above `after`; an empty batch is a keep-alive."""
    offset = 0
    with hub.broker.subscribe() as changed:
        while True:
            changed.clear()
            # looked up first: what happens later is in the next round
            job = hub.jobs.store.get(job_id)
            over = job is None or job.deleted or (job.state.terminal and job.recorded)
            while True:
                lines, offset = hub.jobs.logs.read(job_id, offset)
                if not lines:
                    break
                if batch := [line for line in lines if event_seq(line) > after]:
                    yield batch
            if not follow or over or hub.broker.closed:
                return
            try:
                await asyncio.wait_for(changed.wait(), KEEP_ALIVE)
            except TimeoutError:
                yield []


async def follow_log(hub: Hub, job_id: str, follow: bool) -> AsyncIterator[str]:
    """The log's text as it grows."""
    async for batch in follow_events(hub, job_id, 0, follow):
        if text := "".join(event_text(json.loads(line)) for line in batch):
            yield text


async def follow_build(hub: Hub, name: str, follow: bool) -> AsyncIterator[bytes]:
    """The log of a build as it grows, until that is over."""
    offset = 0
    while True:
        data, over = hub.environments.log(name, offset)
        offset += len(data)
        if data:
            yield data
        if over or (not follow and not data) or hub.broker.closed:
            return
        if not data:
            await asyncio.sleep(LOG_PACE)


def event_seq(line: str) -> int:
    """The number of an event line, without parsing all of it: it is the first key."""
    return int(line[len('{"seq": ') : line.index(",")])
