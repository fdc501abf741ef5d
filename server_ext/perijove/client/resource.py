"""What jobs, compute targets, environments and models of the SDK have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel

from perijove.client.http import HubClient

Data = TypeVar("Data", bound=BaseModel)


class Resource(Generic[Data]):
    """Something that the hub has. Its attributes are those of the last look."""

    def __init__(self, client: HubClient, data: Data) -> None:
        self.client = client
        self.data = data

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "data":
            raise AttributeError(name)
        return getattr(self.data, name)

    def __dir__(self) -> Iterable[str]:
        return {*super().__dir__(), *type(self.data).model_fields}

    def _take(self, found: Any) -> Self:
        self.data = type(self.data).model_validate(found)
        return self
