"""What logging to MLflow costs in a job: unchanged user code, against MLflow's own HTTP client.

Of models: against the same code in an ordinary Python with the same server, as it is run without
Perijove.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from bench import common

ROUNDS = 3
POINTS = 50_000
PLAIN = "import os\nos.environ.pop('PERIJOVE_SPOOL', None)"
COST = """
import json, time, mlflow
run = mlflow.start_run().info.run_id
client = mlflow.MlflowClient()
n = {n}
mlflow.log_metric("warm", 0)
begun = time.perf_counter()
for i in range(n):
    mlflow.log_metric("fluent", 1 / (i + 1), step=i)
fluent = (time.perf_counter() - begun) / n
begun = time.perf_counter()
for i in range(n):
    client.log_metric(run, "client", 1 / (i + 1), step=i)
took = (time.perf_counter() - begun) / n
print(json.dumps({{"fluent": fluent, "client": took}}))
"""
SUSTAINED = """
import json, time, mlflow
run = mlflow.start_run().info.run_id
client = mlflow.MlflowClient()
n = {n}
begun = time.perf_counter()
{loop}
while client.get_run(run).data.metrics.get("m") != n - 1:
    pass
print(json.dumps({{"rate": n / (time.perf_counter() - begun)}}))
"""
OUR_LOOP = "for i in range(n):\n    mlflow.log_metric('m', i, step=i)"
BATCHES = """
from mlflow.entities import Metric
for first in range(0, n, 1000):
    now = int(time.time() * 1000)
    client.log_batch(run, [Metric('m', float(i), now, i) for i in range(first, first + 1000)])
"""
MODEL = """
import json, time, mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
X, y = load_iris(as_frame=True, return_X_y=True)
mlflow.start_run()
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
begun = time.perf_counter()
info = mlflow.sklearn.log_model(model, name="model", input_example=X[:2])
print(json.dumps({"log_model": time.perf_counter() - begun}))
"""
AUTOLOG = """
import json, time, mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
X, y = load_iris(as_frame=True, return_X_y=True)
mlflow.sklearn.autolog()
took = []
for _ in range(2):
    begun = time.perf_counter()
    LogisticRegression(max_iter=500).fit(X, y)
    took.append(time.perf_counter() - begun)
print(json.dumps({"first": took[0], "further": took[1]}))
"""
MODELS = {
    MODEL: {"log_model": "sklearn log_model"},
    AUTOLOG: {
        "first": "sklearn autolog, the first fit of a notebook",
        "further": "sklearn autolog, a further fit",
    },
}


def main() -> Iterator[str]:
    """The figures."""
    with common.folder() as folder, common.hub(folder / "home") as hub:
        hub.warm(common.noop(folder / "noop.ipynb"))
        ours, plain = [], []
        for _ in range(ROUNDS):
            plain.append(_said(hub, folder, PLAIN, COST.format(n=100)))
            ours.append(_said(hub, folder, COST.format(n=5000)))
        for name, what in (("fluent", "mlflow.log_metric"), ("client", "MlflowClient.log_metric")):
            mine, theirs = _median(ours, name), _median(plain, name)
            yield (
                f"{what}: Perijove {mine * 1e6:.0f} µs, HTTP {theirs * 1e3:.1f} ms: "
                f"{theirs / mine:.0f} times less"
            )
        ours, plain = [], []
        for _ in range(ROUNDS):
            plain.append(_said(hub, folder, PLAIN, SUSTAINED.format(n=POINTS, loop=BATCHES)))
            ours.append(_said(hub, folder, SUSTAINED.format(n=POINTS, loop=OUR_LOOP)))
        mine, theirs = _median(ours, "rate"), _median(plain, "rate")
        yield (
            f"until MLflow has them: log_metric {mine:.0f} points/s, log_batch over HTTP "
            f"{theirs:.0f}: {mine / theirs:.2f} times as many"
        )
        for code, figures in MODELS.items():
            ours, plain = [], []
            for _ in range(ROUNDS):
                plain.append(_alone(hub, folder, code))
                ours.append(_said(hub, folder, code))
            for name, what in figures.items():
                mine, theirs = _median(ours, name), _median(plain, name)
                yield (
                    f"{what}: Perijove {mine:.2f} s, MLflow {theirs:.2f} s: "
                    f"{theirs / mine:.1f} times faster"
                )


def _said(hub: common.Hub, folder: Path, *cells: str) -> dict[str, float]:
    """What the last cell of a job printed."""
    path = folder / "logging.ipynb"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = [new_code_cell(cell) for cell in cells]
    nbformat.write(new_notebook(cells=made, metadata={"kernelspec": kernel}), path)
    job = hub.submit(path)
    hub.wait(job, "recorded")
    output = hub.client.get(f"/api/jobs/{job}").json()["output_notebook"]
    last = nbformat.read(output, as_version=4).cells[-1]
    text = "".join(item.text for item in last.outputs if item.get("name") == "stdout")
    found: dict[str, float] = json.loads(text.strip().splitlines()[-1])
    return found


def _alone(hub: common.Hub, folder: Path, code: str) -> dict[str, float]:
    """What the code prints in a process of its own."""
    address = {
        "MLFLOW_TRACKING_URI": hub.info.tracking_uri,
        "MLFLOW_TRACKING_TOKEN": hub.info.token,
    }
    answer = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | address, cwd=folder, capture_output=True
    )
    # when it ends, MLflow says where its run is
    said = next(line for line in answer.stdout.splitlines() if line.startswith(b"{"))
    found: dict[str, float] = json.loads(said)
    return found


def _median(found: list[dict[str, float]], name: str) -> float:
    return statistics.median(item[name] for item in found)


if __name__ == "__main__":
    print(*main(), sep="\n")
