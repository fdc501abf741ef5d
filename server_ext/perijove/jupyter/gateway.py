"""The server extension's way to the hub: found or started when needed, found again after a
restart.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from perijove.client.discovery import ensure_hub, workspace_folder
from perijove.errors import HubUnreachable
from perijove.models.workspaces import HubInfo

TIMEOUT = httpx.Timeout(330, connect=5)


class Gateway:
    """One connection pool to the hub of this server's workspace."""

    def __init__(self) -> None:
        self.folder = workspace_folder()
        self._client: httpx.AsyncClient | None = None
        self._lock = asyncio.Lock()
        self.info: HubInfo | None = None

    async def client(self) -> httpx.AsyncClient:
        """The client of a hub that runs.

        Raises
        ------
        HubUnreachable: none can be started.
        """
        async with self._lock:
            if self._client is None:
                # waits for a lock and a process, so not in the server's loop
                info, _ = await asyncio.to_thread(ensure_hub, self.folder)
                self.info = info
                self._client = httpx.AsyncClient(
                    base_url=info.url,
                    headers={"Authorization": f"Bearer {info.token}"},
                    timeout=TIMEOUT,
                    trust_env=False,
                )
            return self._client

    async def forget(self, client: httpx.AsyncClient) -> None:
        """The hub behind this client is gone."""
        if self._client is client:
            self._client = None
            await client.aclose()

    async def send(self, method: str, path: str, **content: Any) -> httpx.Response:
        """The hub's answer to ``/api`` + `path`. Its verbs are safe to repeat, so one that met a
        dying hub is sent again to the next.

        Raises
        ------
        HubUnreachable: it does not answer.
        """
        for last in (False, True):
            client = await self.client()
            try:
                return await client.request(method, f"/api{path}", **content)
            except httpx.TransportError as error:
                await self.forget(client)
                if last or isinstance(error, httpx.ReadTimeout):  # that one is at work
                    raise unreachable(error) from None
        raise AssertionError


def unreachable(error: httpx.TransportError) -> HubUnreachable:
    """The error that says so."""
    return HubUnreachable(
        f"The hub does not answer ({type(error).__name__}).",
        remedy="Look into its state with: perijove status.",
    )
