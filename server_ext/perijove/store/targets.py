"""Created compute targets in SQLAlchemy."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from sqlalchemy import Engine, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from perijove.abc import TargetStore
from perijove.models.compute import StoredTarget
from perijove.store.tables import targets


class SqlTargetStore(TargetStore):
    """See `TargetStore`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, target: StoredTarget) -> bool:
        row = _plain({name: getattr(target, name) for name in StoredTarget.model_fields})
        row["key"] = target.name.lower()
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(targets).values(row))
        except IntegrityError:
            return False
        return True

    def all(self) -> list[StoredTarget]:
        with self._engine.connect() as connection:
            found = connection.execute(select(targets).order_by(targets.c.key))
            return [StoredTarget.model_validate(dict(row._mapping)) for row in found]

    def update(self, name: str, **changes: object) -> StoredTarget | None:
        query = update(targets).where(targets.c.key == name.lower()).values(_plain(changes))
        with self._engine.begin() as connection:
            row = connection.execute(query.returning(targets)).first()
        return None if row is None else StoredTarget.model_validate(dict(row._mapping))

    def remove(self, name: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(targets.delete().where(func.lower(targets.c.name) == name.lower()))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        for key, value in values.items()
    }
