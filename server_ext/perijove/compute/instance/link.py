"""The hub's end of the line to an agent: commands go out on an answer that stays open, and
reports come in.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from pydantic import JsonValue

from perijove.errors import Unreachable, from_json
from perijove.models.agents import SILENCE, AgentReport

PING = 5.0
"""Seconds between two signs of life."""
CALL = 60.0
"""Seconds an agent has to answer a call."""


class AgentLink:
    """One line; a new one takes the place of the one before.

    Parameters
    ----------
    name: the instance's, for messages.
    changed: called when the line is made or breaks.
    """

    def __init__(self, name: str, changed: Callable[[], None]) -> None:
        self.up = asyncio.Event()
        self.broken = asyncio.Event()
        """Set when somebody has to look after the agent."""
        self.last = AgentReport()
        self._name = name
        self._changed = changed
        self._commands: asyncio.Queue[dict[str, Any] | None] | None = None
        self._calls: dict[int, asyncio.Future[JsonValue]] = {}
        self._numbers = itertools.count(1)
        self._heard = 0.0

    @property
    def silent(self) -> bool:
        """Has nothing been heard for longer than an agent may be silent?"""
        return asyncio.get_running_loop().time() - self._heard > SILENCE

    def listen(self) -> None:
        """Count silence from now."""
        self._heard = asyncio.get_running_loop().time()

    def open(self) -> AsyncIterator[bytes]:
        """The commands, a JSON object a line, until the line breaks."""
        self.hang_up()
        self._commands = asyncio.Queue()
        self.listen()
        self.up.set()
        return self._lines(self._commands)

    async def _lines(self, commands: asyncio.Queue[dict[str, Any] | None]) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"{}\n"  # also says at once that the line is made
                try:
                    async with asyncio.timeout(PING):
                        command = await commands.get()
                        if command is None:
                            return
                        yield json.dumps(command).encode() + b"\n"
                except TimeoutError:
                    continue
        finally:
            if self._commands is commands:
                self._commands = None
                self.up.clear()
                self.broken.set()
                self._changed()

    def hang_up(self) -> None:
        """Break the line; the agent will call again."""
        if self._commands is not None:
            self._commands.put_nowait(None)
            self._commands = None

    def say(self, command: dict[str, Any]) -> None:
        """Give a command, if the agent listens."""
        if self._commands is not None:
            self._commands.put_nowait(command)

    def take(self, report: AgentReport) -> None:
        """The agent has reported."""
        self.listen()
        self.last = report
        for answer in report.answers:
            waiting = self._calls.pop(answer.id, None)
            if waiting is None or waiting.done():
                continue
            if answer.error is not None:
                waiting.set_exception(from_json(answer.error))
            else:
                waiting.set_result(answer.result)

    async def call(self, verb: str, patience: float = CALL, **args: JsonValue) -> JsonValue:
        """Have the agent do something, and get its answer within so many seconds.

        Raises
        ------
        Unreachable: it does not answer. Else what the agent raised.
        """
        if not self.up.is_set():
            raise Unreachable(
                f"{self._name} does not answer now.",
                remedy=f"Look at it with: perijove compute show {self._name}.",
            )
        number = next(self._numbers)
        waiting = self._calls[number] = asyncio.get_running_loop().create_future()
        self.say({"call": number, "do": verb, "args": args})
        try:
            async with asyncio.timeout(patience):
                result: JsonValue = await waiting
                return result
        except TimeoutError:
            raise Unreachable(f"{self._name} has not answered for {patience:.0f} s.") from None
        finally:
            self._calls.pop(number, None)
