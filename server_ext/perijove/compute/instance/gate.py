"""The agent's side of the hub's gate."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from perijove.compute.relay import trust
from perijove.models.agents import (
    AgentHello,
    AgentReport,
    Ending,
    GateAddress,
    SpoolReceipt,
)

TIMEOUT = httpx.Timeout(15, connect=5)
PACKING = httpx.Timeout(300, connect=5)
"""A large package takes its time."""
SILENT = 20.0
"""Seconds without a line from the hub after which the link counts as broken."""


class GateError(Exception):
    """The hub does not answer, or answers what it should not."""


class Refused(GateError):
    """The hub knows nothing of what is asked about."""


class Rejected(GateError):
    """The hub says what is wrong; asking again would not help."""


class Gate:
    """HTTP to the hub's gate."""

    def __init__(self, address: GateAddress, token: str) -> None:
        verify: ssl.SSLContext | bool = trust(address) if address.certificate else True
        transport = httpx.AsyncHTTPTransport(verify=verify, uds=address.socket)
        self._client = httpx.AsyncClient(
            base_url=address.url, transport=transport, timeout=TIMEOUT, trust_env=False
        )
        self._token = token

    async def close(self) -> None:
        """Release connections."""
        await self._client.aclose()

    async def link(self, target: str, hello: AgentHello) -> AsyncIterator[dict[str, Any]]:
        """The hub's commands, until the link breaks.

        Raises
        ------
        GateError: it broke.
        """
        timeout = httpx.Timeout(SILENT, connect=5)
        try:
            async with self._client.stream(
                "POST",
                f"/perijove/agents/{target}/link",
                content=hello.model_dump_json(),
                headers=self._headers(self._token),
                timeout=timeout,
            ) as answer:
                _check(answer)
                async for line in answer.aiter_lines():
                    yield json.loads(line)
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise GateError(str(error)) from error

    async def report(self, target: str, report: AgentReport) -> None:
        """Tell what has happened."""
        await self._post(f"/perijove/agents/{target}/report", report.model_dump_json(), self._token)

    async def package(self, key: str, token: str, file: Path) -> None:
        """Fetch what the attempt needs, as a tar archive."""
        await self._fetch(f"/perijove/attempts/{key}/package", token, file)

    async def wheels(self, target: str, digest: str, file: Path) -> None:
        """Fetch all that is in an environment, for the agent: a tar archive of wheels."""
        path = f"/perijove/agents/{target}/environments/{digest}"
        await self._fetch(path, self._token, file, PACKING)

    async def wheels_for(self, key: str, token: str, file: Path) -> None:
        """Fetch all that is in the attempt's environment, as a tar archive of wheels."""
        await self._fetch(f"/perijove/attempts/{key}/environment", token, file, PACKING)

    async def _fetch(
        self, path: str, token: str, file: Path, timeout: httpx.Timeout = TIMEOUT
    ) -> None:
        try:
            async with self._client.stream(
                "GET", path, headers=self._headers(token), timeout=timeout
            ) as answer:
                if answer.is_client_error:
                    await answer.aread()
                _check(answer)
                with file.open("wb") as output:
                    async for piece in answer.aiter_bytes():
                        output.write(piece)
        except httpx.HTTPError as error:
            raise GateError(str(error)) from error

    async def spool(
        self, key: str, token: str, offset: int, data: bytes, beat: float
    ) -> SpoolReceipt:
        """Append to the hub's copy of the spool. `beat`: seconds since the runner's last."""
        found = await self._post(
            f"/perijove/attempts/{key}/spool?offset={offset}&beat={beat:.3f}", data, token
        )
        return SpoolReceipt.model_validate_json(found)

    async def put(self, key: str, token: str, path: str, file: Path) -> None:
        """Copy a file whole."""

        async def pieces() -> AsyncIterator[bytes]:
            with file.open("rb") as source:
                while piece := source.read(1 << 20):
                    yield piece

        try:
            answer = await self._client.put(
                f"/perijove/attempts/{key}/files",
                params={"path": path},
                content=pieces(),
                headers=self._headers(token),
            )
        except httpx.HTTPError as error:
            raise GateError(str(error)) from error
        _check(answer)

    async def ended(self, key: str, token: str, ending: Ending) -> None:
        """Everything of the attempt is delivered, and nothing of it runs."""
        await self._post(f"/perijove/attempts/{key}/ended", ending.model_dump_json(), token)

    async def _post(self, path: str, content: str | bytes, token: str) -> bytes:
        try:
            answer = await self._client.post(path, content=content, headers=self._headers(token))
        except httpx.HTTPError as error:
            raise GateError(str(error)) from error
        _check(answer)
        return answer.content

    def _headers(self, token: str) -> dict[str, str]:
        return {"authorization": f"Bearer {token}", "content-type": "application/json"}


def _check(answer: httpx.Response) -> None:
    if answer.status_code in (401, 404, 410):
        raise Refused(f"the hub answers {answer.status_code}")
    if answer.is_client_error:
        raise Rejected(_message(answer))
    if answer.is_error:
        raise GateError(f"the hub answers {answer.status_code}")


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the hub answers {answer.status_code}"
