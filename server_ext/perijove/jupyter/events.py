"""The one event stream of the user interface, passed through from the hub.

When the hub is restarted the stream does not break: the handler connects to the next hub at the
revision and the numbers it has passed on, so the browser misses nothing and sees nothing twice.
"""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlencode

import httpx
from jupyter_server.auth.decorator import authorized
from tornado.iostream import StreamClosedError
from tornado.web import authenticated

from perijove.errors import PerijoveError
from perijove.jupyter.handlers import JOBS, HubHandler

AWAY = 'event: status\ndata: {"state": "unreachable"}\n\n'
PAUSE = 0.5
"""Seconds between two tries to reach a hub that is away."""


class Cursor:
    """How far a stream has come."""

    def __init__(self, after: str, watch: list[str]) -> None:
        self.after = after
        self.watched = dict(item.rpartition(":")[::2] for item in watch)

    def query(self) -> str:
        """The query that goes on from here."""
        watch = [("watch", f"{job}:{seq}") for job, seq in self.watched.items()]
        return urlencode([("after", self.after), *watch])

    def advance(self, message: str) -> None:
        """A message was passed on."""
        fields = dict(line.partition(": ")[::2] for line in message.split("\n"))
        if "id" in fields:
            self.after = fields["id"]
        if fields.get("event") == "job_event":
            event = json.loads(fields["data"])
            self.watched[event["job_id"]] = str(event["seq"])


class EventsHandler(HubHandler):
    """``<base>/perijove/events``: server-sent events."""

    @authenticated
    @authorized(action="read", resource=JOBS)
    async def get(self) -> None:
        cursor = Cursor(self.get_query_argument("after", "0"), self.get_query_arguments("watch"))
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")
        self._gone = asyncio.Event()
        reader = asyncio.create_task(self._pass_on(cursor))
        waiter = asyncio.create_task(self._gone.wait())
        done, pending = await asyncio.wait({reader, waiter}, return_when="FIRST_COMPLETED")
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()

    def on_connection_close(self) -> None:
        """The browser has gone."""
        super().on_connection_close()
        if hasattr(self, "_gone"):
            self._gone.set()

    async def _pass_on(self, cursor: Cursor) -> None:
        while True:
            try:
                client = await self.gateway.client()
            except PerijoveError:
                await self._say(AWAY)
                await asyncio.sleep(PAUSE)
                continue
            try:
                if not await self._stream(client, cursor):
                    return
            except StreamClosedError:
                return
            except httpx.TransportError:
                pass
            await self.gateway.forget(client)
            await self._say(AWAY)
            await asyncio.sleep(PAUSE)

    async def _stream(self, client: httpx.AsyncClient, cursor: Cursor) -> bool:
        """Pass messages on until the hub ends the stream; False: it refused the request."""
        url = f"/api/events?{cursor.query()}"
        timeout = httpx.Timeout(60, connect=5)
        async with client.stream("GET", url, timeout=timeout) as answer:
            if answer.status_code != 200:
                await answer.aread()
                self.answer(answer)
                return False
            rest = ""
            async for text in answer.aiter_text():
                *messages, rest = (rest + text).split("\n\n")
                for message in messages:
                    self.write(message + "\n\n")
                    cursor.advance(message)
                await self.flush()
        return True

    async def _say(self, text: str) -> None:
        try:
            self.write(text)
            await self.flush()
        except StreamClosedError:
            return
