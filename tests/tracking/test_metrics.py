"""The embedded server stores metrics by one statement; the result is MLflow's own."""

from __future__ import annotations

import math
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration
VALUES = [0.0, 1.0, 2.5, math.nan, math.inf, -math.inf, -1e300, 3]


def rows(path: Path, table: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(f"SELECT key, value, timestamp, step, is_nan FROM {table}")  # noqa: S608
        return sorted(found.fetchall())


def test_points_are_stored_as_mlflow_stores_them(tmp_path: Path) -> None:
    from mlflow.entities import Metric
    from mlflow.exceptions import MlflowException
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    from perijove.tracking.announce import Announcer
    from perijove.tracking.database import prepare
    from perijove.tracking.store import JobTrackingStore

    stores = []
    for name in ("theirs", "ours"):
        file = tmp_path / f"{name}.db"
        prepare(file)
        place = f"sqlite:///{file}", "mlflow-artifacts:/"
        made = (
            JobTrackingStore(*place, Announcer(None)) if name == "ours" else SqlAlchemyStore(*place)
        )
        stores.append((made, made.create_run("0", "user", 0, [], "run").info.run_id, file))
    assert type(stores[0][0])._log_metrics_once is not type(stores[1][0])._log_metrics_once
    pick = random.Random(7)
    for size in (1, 3, 40, 200, 0, 40):
        batch = [
            Metric(
                f"m{pick.randrange(4)}",
                pick.choice(VALUES),
                pick.randrange(3),
                pick.randrange(-2, 4),
            )
            for _ in range(size)
        ]
        for store, run, _ in stores:
            store.log_batch(run, batch, [], [])
            for metric in batch[:3]:
                store.log_metric(run, metric)
    said = []
    for store, run, _ in stores:
        with pytest.raises(MlflowException) as refused:
            store.log_batch(run, [Metric("ok", 1.0, 1, 1), Metric("a#", 1.0, 1, 1)], [], [])
        store.delete_run(run)
        with pytest.raises(MlflowException) as deleted:
            store.log_metric(run, Metric("late", 1.0, 1, 1))
        said.append([str(error.value).replace(run, "RUN") for error in (refused, deleted)])
    assert said[1] == said[0]
    for table in ("metrics", "latest_metrics"):
        theirs, ours = (rows(file, table) for *_, file in stores)
        assert ours == theirs
        assert ours
