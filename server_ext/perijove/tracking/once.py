"""What is asked for twice is made once, on the embedded server.

A client that gets no answer sends its request again, though the first may have been done. In a
job every request of MLflow's client carries a key (see `perijove.tracking.repeated`), and what
is made in answer is noted under it, in the transaction that makes it: who comes with the key
again gets that, also when the server was killed before it could answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion, SqlRegisteredModel
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlLoggedModel, SqlRun

from perijove.tracking.guard import request_key

KEPT = 7 * 86_400
"""Seconds for which requests are known again."""
IDS = {
    SqlRun: "run_uuid",
    SqlExperiment: "experiment_id",
    SqlLoggedModel: "model_id",
    SqlRegisteredModel: "name",
    SqlModelVersion: "version",
}
T = TypeVar("T")

_requests = sqlalchemy.Table(
    "perijove_requests",
    sqlalchemy.MetaData(),
    sqlalchemy.Column("key", sqlalchemy.String(200), primary_key=True),
    sqlalchemy.Column("kind", sqlalchemy.String(40), primary_key=True),
    sqlalchemy.Column("made", sqlalchemy.Text, nullable=False),
    sqlalchemy.Column("at", sqlalchemy.BigInteger, nullable=False),
)


def _note(_: Any, connection: sqlalchemy.Connection, made: Any) -> None:
    if (key := request_key.get()) is not None:
        values = {"kind": type(made).__name__, "made": str(getattr(made, IDS[type(made)]))}
        connection.execute(_requests.insert().values(key=key, at=int(time.time()), **values))


for _type in IDS:
    sqlalchemy.event.listen(_type, "after_insert", _note)


class Requests:
    """The requests of the last days, in MLflow's database."""

    def __init__(self, engine: sqlalchemy.Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        _requests.create(engine, checkfirst=True)
        with engine.begin() as connection:
            old = _requests.c.at < int(time.time()) - KEPT
            connection.execute(_requests.delete().where(old))

    def once(self, kind: type, make: Callable[[], T], found: Callable[[str], T]) -> T:
        """What `make` makes; `found` is given the id of what an earlier try has made."""
        key = request_key.get()
        if key is None:
            return make()
        with self._lock:  # the first try may be under way
            columns = _requests.c.key == key, _requests.c.kind == kind.__name__
            with self._engine.connect() as connection:
                known = connection.execute(sqlalchemy.select(_requests.c.made).where(*columns))
                made = known.scalar()
            return make() if made is None else found(made)


class JobModelStore(SqlAlchemyStore):
    """The embedded server's model registry: MLflow's own, in which nothing is made twice."""

    def __init__(self, db_uri: str) -> None:
        super().__init__(db_uri)
        self._requests = Requests(self.engine)

    def create_registered_model(self, name: str, *args: Any, **named: Any) -> Any:
        create = super().create_registered_model
        return self._requests.once(
            SqlRegisteredModel, lambda: create(name, *args, **named), self.get_registered_model
        )

    def create_model_version(self, name: str, *args: Any, **named: Any) -> Any:
        create = super().create_model_version
        return self._requests.once(
            SqlModelVersion,
            lambda: create(name, *args, **named),
            lambda version: self.get_model_version(name, version),
        )
