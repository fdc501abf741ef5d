"""Fills an MLflow database with many runs, or one run of many points, quickly: plain SQL."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from uuid import uuid4

RUN = (
    "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, end_time,"
    " lifecycle_stage, artifact_uri, experiment_id) VALUES (?, ?, 'LOCAL', 'bench', ?, ?, ?,"
    " 'active', ?, ?)"
)


def make_experiment(database: Path, name: str) -> str:
    """An experiment's id; MLflow may be serving the database."""
    now = int(time.time() * 1000)
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        made = connection.execute(
            "INSERT INTO experiments (name, artifact_location, lifecycle_stage, creation_time,"
            " last_update_time) VALUES (?, '', 'active', ?, ?)",
            (name, now, now),
        ).lastrowid
        connection.execute(
            "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?",
            (f"mlflow-artifacts:/{made}", made),
        )
    return str(made)


def make_runs(
    database: Path, experiment_id: str, runs: int = 10_000, metrics: int = 10, params: int = 10
) -> list[str]:
    """Runs of an experiment, a second apart, with random values; their ids, oldest first."""
    rng = random.Random(7)
    begun = int(time.time() * 1000) - runs * 1000
    ids = [uuid4().hex for _ in range(runs)]
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        connection.executemany(RUN, (
            (run, f"run-{n}", "FINISHED", begun + n * 1000, begun + n * 1000 + rng.randrange(9999),
             f"mlflow-artifacts:/{experiment_id}/{run}/artifacts", int(experiment_id))
            for n, run in enumerate(ids)
        ))  # fmt: skip
        values = [
            (f"metric_{m}", rng.random(), begun + n * 1000, 0, 0, run)
            for n, run in enumerate(ids) for m in range(metrics)
        ]  # fmt: skip
        connection.executemany(
            "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)"
            " VALUES (?, ?, ?, ?, ?, ?)", values,
        )  # fmt: skip
        connection.executemany(
            "INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid)"
            " VALUES (?, ?, ?, ?, ?, ?)", values,
        )  # fmt: skip
        connection.executemany(
            "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
            ((f"param_{p}", f"{rng.random():.4g}", run) for run in ids for p in range(params)),
        )
        connection.executemany(
            "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
            (
                (key, text, run)
                for n, run in enumerate(ids)
                for key, text in (
                    ("mlflow.runName", f"run-{n}"),
                    ("mlflow.user", "bench"),
                    ("mlflow.source.name", "train.ipynb"),
                    ("mlflow.source.type", "LOCAL"),
                )
            ),
        )
    return ids


def make_history(
    database: Path, experiment_id: str, points: int = 100_000, metrics: int = 10
) -> str:
    """A run with `points` points of each of `metrics` metrics; its id."""
    rng = random.Random(11)
    run = make_runs(database, experiment_id, 1, 0, 3)[0]
    begun = int(time.time() * 1000) - points * 10
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        connection.executemany(
            "INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid)"
            " VALUES (?, ?, ?, ?, 0, ?)",
            (
                (f"metric_{m}", 1 / (1 + step) + rng.random() / 10, begun + step * 10, step, run)
                for step in range(points)
                for m in range(metrics)
            ),
        )
        connection.executemany(
            "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)"
            " VALUES (?, ?, ?, ?, 0, ?)",
            ((f"metric_{m}", 0.05, begun, points - 1, run) for m in range(metrics)),
        )
    return run
