"""The studio's questions beside MLflow's own, on one server: 10,000 runs sorted by a metric, and
a run of a million points.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from bench.common import Hub, folder
from bench.filled import make_experiment, make_history, make_runs

RUNS, KEYS = 10_000, 10
POINTS = 100_000
TRIES = 5
STARTED = 120.0


def filled(home: Path) -> tuple[Hub, str, str]:
    """A hub with 10,000 runs of 10 metrics and 10 parameters; the experiment, and a run with a
    million points. The comparison of user interfaces uses it, too."""
    hub = Hub(home)
    deadline = time.monotonic() + STARTED
    while hub.client.get("/api/status").json()["tracking_state"] != "running":
        assert time.monotonic() < deadline, "MLflow does not start"
        time.sleep(0.5)
    database = next(home.rglob("mlflow.db"))
    experiment = make_experiment(database, "many runs")
    make_runs(database, experiment, RUNS, KEYS, KEYS)
    run = make_history(database, make_experiment(database, "many points"), POINTS, KEYS)
    return hub, experiment, run


def main() -> Iterator[str]:
    """Lines of figures."""
    with folder() as home:
        hub, experiment, run = filled(home)
        try:
            yield from _measured(hub, experiment, run)
        finally:
            hub.down()


def _measured(hub: Hub, experiment: str, run: str) -> Iterator[str]:
    info = hub.info
    headers = {"Authorization": f"Bearer {info.token}"}
    client = httpx.Client(headers=headers, timeout=600, trust_env=False)
    ours, theirs = f"{info.url}/api/runs", f"{info.tracking_uri}/api/2.0/mlflow"
    question = {"experiment_ids": [experiment]}
    by_metric = question | {"order_by": ["metrics.metric_3 DESC"]}

    def post(url: str, body: object) -> float:
        begun = time.perf_counter()
        answer = client.post(url, json=body)
        took = time.perf_counter() - begun
        assert answer.status_code == 200, answer.text
        return took

    def median(url: str, body: object, tries: int = TRIES) -> float:
        return statistics.median(post(url, body) for _ in range(tries))

    for name, asked in (("by a metric", by_metric), ("by time", question)):
        fast = median(f"{ours}/search", asked | {"limit": 100})
        slow = median(f"{theirs}/runs/search", asked | {"max_results": 100}, 3)
        yield _line(f"first 100 of {RUNS} runs {name}", fast, slow)
    columns = ["metrics.metric_3", "metrics.metric_4", "params.param_1", "params.param_2"]
    fast = median(f"{ours}/search", by_metric | {"limit": RUNS, "columns": columns})
    slow = median(f"{theirs}/runs/search", by_metric | {"max_results": RUNS}, 1)
    yield _line(f"all {RUNS} runs (ours: 4 columns)", fast, slow)
    wish = {"run_ids": [run], "max_points": 2000}
    first = post(f"{ours}/history", wish)
    again = median(f"{ours}/history", wish)
    begun = time.perf_counter()
    for key in range(KEYS):
        query = {"run_id": run, "metric_key": f"metric_{key}", "max_results": 25_000}
        page = None
        while True:
            answer = client.get(
                f"{theirs}/metrics/get-history",
                params=query | ({"page_token": page} if page else {}),
            )
            page = answer.json().get("next_page_token")
            if not page:
                break
    theirs_took = time.perf_counter() - begun
    yield _line(f"{POINTS * KEYS} points of a run, for the first time", first, theirs_took)
    yield _line(f"{POINTS * KEYS} points of a run, again", again, theirs_took)


def _line(what: str, ours: float, theirs: float) -> str:
    return (
        f"{what}: Perijove {ours * 1000:.0f} ms, MLflow's API {theirs * 1000:.0f} ms: "
        f"{theirs / ours:.1f} times as fast"
    )
