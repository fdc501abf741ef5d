"""Built environments in SQLAlchemy."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from perijove.abc import EnvironmentStore
from perijove.models.environments import StoredEnvironment
from perijove.store.tables import environments


class SqlEnvironmentStore(EnvironmentStore):
    """See `EnvironmentStore`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, environment: StoredEnvironment) -> bool:
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(environments).values(environment.model_dump()))
        except IntegrityError:
            return False
        return True

    def all(self) -> list[StoredEnvironment]:
        order = (environments.c.name, environments.c.version)
        with self._engine.connect() as connection:
            found = connection.execute(select(environments).order_by(*order))
            return [_environment(row) for row in found]

    def update(self, name: str, version: int, **changes: object) -> StoredEnvironment | None:
        query = update(environments).where(
            environments.c.name == name, environments.c.version == version
        )
        with self._engine.begin() as connection:
            row = connection.execute(query.values(changes).returning(environments)).first()
        return None if row is None else _environment(row)


def _environment(row: Any) -> StoredEnvironment:
    return StoredEnvironment.model_validate(dict(row._mapping))
