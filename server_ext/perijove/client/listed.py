"""Lists of the SDK's things: tables in a notebook, and DataFrames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

if TYPE_CHECKING:
    from pandas import DataFrame

T = TypeVar("T")


class Listed(list[T]):
    """A list whose display in a notebook is a table."""

    def __init__(
        self, items: Iterable[T], kind: type[BaseModel], html: Callable[[Sequence[Any]], str]
    ) -> None:
        """`kind`: the shape of an item's data; `html`: see `perijove.client.displays`."""
        super().__init__(items)
        self._kind, self._html = kind, html

    def dataframe(self) -> DataFrame:
        """A line for each, with a column for each field and each metric, parameter and tag."""
        import pandas as pd

        lines = [_line(_data(item).model_dump()) for item in self]
        return pd.DataFrame(lines, columns=None if lines else list(self._kind.model_fields))

    def _repr_html_(self) -> str:
        return self._html([_data(item).model_dump(mode="json") for item in self])


def _data(item: Any) -> BaseModel:
    found: BaseModel = item if isinstance(item, BaseModel) else item.data
    return found


def _line(fields: dict[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = {}
    for name, value in fields.items():
        if name in ("metrics", "params", "tags") and isinstance(value, dict):
            line |= {
                f"{name}.{key}": float(each) if name == "metrics" else each
                for key, each in value.items()
            }
        elif name == "aliases" and value and isinstance(value[0], dict):
            line[name] = {each["alias"]: each["version"] for each in value}
        else:
            line[name] = value
    return line
