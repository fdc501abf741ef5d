"""What MLflow is spared in a job."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("environ", "asks"),
    [
        ({"MLFLOW_EXPERIMENT_ID": "7"}, False),
        ({"MLFLOW_EXPERIMENT_ID": "8"}, True),
        ({"MLFLOW_EXPERIMENT_ID": "7", "MLFLOW_EXPERIMENT_NAME": "other"}, True),
        ({"PERIJOVE_EXPERIMENT_ID": ""}, True),
        ({}, True),
    ],
)
def test_whether_its_own_experiment_is_there(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], asks: bool
) -> None:
    from perijove.tracking.overrides import _own_experiment

    for name in ("MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"PERIJOVE_EXPERIMENT_ID": "7"} | environ).items():
        monkeypatch.setenv(name, value)
    assert _own_experiment(lambda: "asked")() == ("asked" if asks else "7")
