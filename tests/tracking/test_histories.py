"""Histories read from MLflow's own tables, as they grow."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mlflow.store.db.base_sql_model import Base
from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlMetric, SqlRun

from perijove.models.runs import HistoryWish
from perijove.tracking import histories
from perijove.tracking.columns import LARGEST
from perijove.tracking.histories import Histories


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    made = sa.create_engine(f"sqlite:///{tmp_path}/mlflow.db")
    entities = (SqlExperiment, SqlRun, SqlMetric)
    Base.metadata.create_all(made, tables=[entity.__table__ for entity in entities])
    with made.begin() as connection:
        connection.execute(SqlRun.__table__.insert(), [{"run_uuid": "r", "status": "RUNNING"}])
    return made


def log(engine: sa.Engine, key: str, values: list[float], start: int = 0) -> None:
    rows = [
        {
            "run_uuid": "r",
            "key": key,
            "step": step,
            "timestamp": 1000 + step,
            "value": 0.0 if math.isnan(value) else value,
            "is_nan": math.isnan(value),
        }
        for step, value in enumerate(values, start)
    ]
    with engine.begin() as connection:
        connection.execute(SqlMetric.__table__.insert(), rows)


def asked(found: Histories, **wish: Any) -> dict[str, list[Any]]:
    (answer,) = json.loads(found.answer(HistoryWish(run_ids=["r"], **wish)))
    return {one["key"]: one["values"] for one in answer["series"]} | {"cursor": answer["cursor"]}


def test_values_of_every_kind_in_pieces(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "ROWS", 3)
    found = Histories(engine)
    log(engine, "loss", [1.0, math.nan, LARGEST, -LARGEST, 0.1 + 0.2])
    log(engine, "auc", [2.0**53 + 2])
    log(engine, "loss", [7.0], start=2**60)
    first = asked(found)
    assert first["loss"] == [1.0, "NaN", "Infinity", "-Infinity", 0.1 + 0.2, 7.0]
    assert first["auc"] == [2.0**53 + 2]
    log(engine, "auc", [5.0], start=1)
    assert asked(found, after={"r": first["cursor"]})["auc"] == [5.0]
    assert asked(found)["auc"] == [2.0**53 + 2, 5.0]
    assert found.counts("r") == {"loss": 6, "auc": 2}


def test_long_histories_are_read_when_they_are_counted(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histories, "MANY", 10)
    found = Histories(engine)
    log(engine, "loss", [float(n) for n in range(50)])
    read: list[str] = []
    monkeypatch.setattr(found, "_prepare", read.append)
    assert found.counts("r") == {"loss": 50}
    assert asked(found)["loss"][-1] == 49.0
    assert found.counts("r") == {"loss": 50}
    assert read == ["r"]
    # the run is gone, and its rows' numbers are another's
    with engine.begin() as connection:
        connection.execute(sa.delete(SqlMetric.__table__))
    log(engine, "auc", [0.5])
    assert found.counts("r") == {"auc": 1}
    assert asked(found) == {"auc": [0.5], "cursor": "1"}
