"""One connection to a hub keeps all widgets of a kernel up to date.

A reader follows the hub's event stream and marks the widgets that a message concerns; a worker
has these look again, a few times a second at most. Both end with the last widget, and neither
ever starts a hub.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, ClassVar, Protocol

from perijove.client.http import HubClient
from perijove.errors import PerijoveError
from perijove.models.workspaces import WorkspaceFolder

PACE = 0.4
"""Seconds between two looks of a widget."""
RETRY = 1.0
"""Seconds until a hub that is away is tried again."""


class Viewer(Protocol):
    """What is kept up to date."""

    def concerns(self, kind: str, data: Any) -> bool:
        """Does a message of the stream change what it shows? Kinds: ``jobs`` (a list of jobs),
        ``compute`` (all targets), ``tracking`` (a `TrackingChange`), ``status``."""

    def look(self, client: HubClient) -> None:
        """Look again."""

    def lose(self, error: PerijoveError) -> None:
        """The hub is away."""


class Live:
    """The stream of one workspace, for all widgets that show something of it."""

    _all: ClassVar[dict[str, Live]] = {}
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, folder: WorkspaceFolder) -> None:
        self._folder = folder
        self._viewers: set[Viewer] = set()
        self._marked: set[Viewer] = set()
        self._wake = threading.Event()
        self._turn = 0

    @classmethod
    def of(cls, folder: WorkspaceFolder) -> Live:
        """The one of this workspace."""
        with cls._lock:
            return cls._all.setdefault(str(folder.root), cls(folder))

    @property
    def viewers(self) -> int:
        """How many it keeps up to date."""
        return len(self._viewers)

    def add(self, viewer: Viewer) -> None:
        """Keep it up to date until `remove`; it looks at once."""
        with self._lock:
            is_first = not self._viewers
            self._viewers.add(viewer)
            self._marked.add(viewer)
            if is_first:
                # threads of an earlier turn may not have noticed yet that it is over
                self._turn += 1
                for part in (self._read, self._work):
                    threading.Thread(
                        target=part, args=(self._turn,), daemon=True, name="perijove widgets"
                    ).start()
        self._wake.set()

    def remove(self, viewer: Viewer) -> None:
        """Forget it."""
        with self._lock:
            self._viewers.discard(viewer)
            self._marked.discard(viewer)
        self._wake.set()

    def _mark(self, kind: str, data: Any) -> None:
        concerned = {viewer for viewer in self._current() if viewer.concerns(kind, data)}
        with self._lock:
            self._marked |= concerned & self._viewers
        if concerned:
            self._wake.set()

    def _current(self) -> set[Viewer]:
        with self._lock:
            return set(self._viewers)

    def _goes_on(self, turn: int) -> bool:
        return bool(self._viewers) and turn == self._turn

    def _read(self, turn: int) -> None:
        client = HubClient(self._folder, start=False)
        was_away = False
        while self._goes_on(turn):
            try:
                for kind, data in self._messages(client):
                    if was_away:
                        was_away, kind = False, "everything"
                    if not self._goes_on(turn):
                        break
                    self._mark(kind, data)
            except PerijoveError as error:
                was_away = True
                for viewer in self._current():
                    viewer.lose(error)
            if self._goes_on(turn):
                time.sleep(RETRY)
        client.close()

    def _messages(self, client: HubClient) -> Iterator[tuple[str, Any]]:
        # widgets have looked already: what happened before now is not asked for
        newest = client.request("GET", "/jobs", params={"limit": 1})
        after = newest[0]["revision"] if newest else 0
        with client.stream("/events", after=after) as answer:
            yield from parse(answer.iter_lines())

    def _work(self, turn: int) -> None:
        client = HubClient(self._folder, start=False)
        while self._goes_on(turn):
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                marked, self._marked = self._marked, set()
            for viewer in marked:
                # what it says of its own trouble is its own affair
                with suppress(Exception):
                    viewer.look(client)
            if marked:
                time.sleep(PACE)
        client.close()


def parse(lines: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Server-sent events as (event, JSON); a comment, which says that all is well, as ``alive``."""
    kind = ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)
        elif line.startswith(":"):
            yield "alive", None
