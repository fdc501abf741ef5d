"""The one HTTP client of the SDK: finds the hub, and finds it again after a restart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx

from perijove.client.discovery import ensure_hub, find_hub
from perijove.errors import HubUnreachable, InvalidInput, NotFound, PerijoveError, from_json
from perijove.models.workspaces import HubInfo, WorkspaceFolder

TRIES = 3
LONG = httpx.Timeout(None, connect=5.0, write=60.0)


class HubClient:
    """Talks to the hub of a workspace. Verbs are safe to repeat: submissions carry their id."""

    def __init__(self, folder: WorkspaceFolder, start: bool = True) -> None:
        self.folder = folder
        self._start = start
        self._info: HubInfo | None = None
        self._client: httpx.Client | None = None

    @property
    def info(self) -> HubInfo:
        """The hub in use; found or started now if there is none."""
        self._connect()
        assert self._info is not None
        return self._info

    def request(self, method: str, path: str, **content: Any) -> Any:
        """The JSON answer of ``/api`` + `path`.

        Raises
        ------
        PerijoveError: what the hub answered, as the exception it stands for.
        InvalidInput: it cannot even be sent: half a surrogate pair is no text.
        HubUnreachable: there is no hub and none can be started.
        """
        for last in (False,) * (TRIES - 1) + (True,):
            client = self._connect()
            try:
                answer = client.request(method, f"/api{path}", **content)
            except UnicodeEncodeError as error:
                raise InvalidInput(
                    f"{error.object[error.start : error.end]!a} is no text: it is half a character."
                ) from None
            except httpx.TransportError as error:
                self._forget()
                if last or isinstance(error, httpx.ReadTimeout):  # that one is at work
                    raise _unreachable(error) from None
                time.sleep(0.1)
                continue
            return _checked(answer).json()
        raise AssertionError

    def fetch(self, path: str, /, **query: Any) -> Iterator[bytes]:
        """The bytes of a file route."""
        with self.stream(path, **query) as answer:
            yield from answer.iter_bytes()

    def save(self, target: Path, path: str, /, **query: Any) -> None:
        """Write the bytes of a file route to `target`, which is there once it is complete."""
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{uuid4().hex}.part")
        try:
            with partial.open("wb") as copy:
                for piece in self.fetch(path, **query):
                    copy.write(piece)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    @contextmanager
    def stream(self, path: str, /, **query: Any) -> Iterator[httpx.Response]:
        """An answer that is read as it comes."""
        client = self._connect()
        try:
            with client.stream("GET", f"/api{path}", params=query, timeout=LONG) as answer:
                if answer.status_code >= 400:
                    answer.read()
                yield _checked(answer)
        except httpx.TransportError as error:
            self._forget()
            raise _unreachable(error) from None

    def close(self) -> None:
        """Release connections."""
        self._forget()

    def _connect(self) -> httpx.Client:
        if self._client is None:
            if self._start:
                self._info, _ = ensure_hub(self.folder)
            else:
                self._info = find_hub(self.folder)
                if self._info is None:
                    raise HubUnreachable(
                        f"No hub runs for workspace {self.folder.name}.",
                        remedy="Start it: perijove up.",
                    )
            self._client = httpx.Client(
                base_url=self._info.url,
                headers={
                    "Authorization": f"Bearer {self._info.token}",
                    "Content-Type": "application/json",
                },
                timeout=httpx.Timeout(330.0, connect=5.0),
                trust_env=False,
            )
        return self._client

    def _forget(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = self._info = None


def segment(name: str, what: str, field: str) -> str:
    """`name` as a part of a path; raises NotFound for what no `what` can be called."""
    try:
        quoted = quote(name, safe="")
    except (UnicodeEncodeError, TypeError):  # no text, or none that can be sent
        quoted = ""
    if quoted in ("", ".", "..") or "/" in name:
        raise NotFound(f"There is no {what} {str(name)[:80]!a}.", field=field)
    return quoted


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.status_code < 400:
        return answer
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        raise PerijoveError(f"The hub answered {answer.status_code}.") from None
    raise from_json(error)


def _unreachable(error: Exception) -> HubUnreachable:
    return HubUnreachable(
        f"The hub does not answer ({type(error).__name__}).", remedy="See: perijove status."
    )
