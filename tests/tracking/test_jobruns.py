"""A job asks MLflow for no run that it knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tracking.stores import NOW, entities, new_run

pytestmark = pytest.mark.integration


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What stores of jobs ask for runs."""
    from mlflow.store.tracking.rest_store import RestStore

    calls: list[Any] = []
    ask = RestStore.get_run
    monkeypatch.setattr(RestStore, "get_run", lambda *a: (calls.append(a), ask(*a))[1])
    return calls


def test_the_same_answer_is_given_once_more(make: Callable[..., Any], asked: list[Any]) -> None:
    from mlflow.entities import LoggedModelOutput
    from mlflow.exceptions import MlflowException

    store, other = make("spool"), make("rest")
    run, model = new_run(store), store.create_logged_model("0", "model").model_id
    first = store.get_run(run)
    store.say_again(run)
    store.log_outputs(run, [LoggedModelOutput(model, 0)])
    other.log_param(run, entities().Param("p", "1"))
    assert store.get_run(run) is first
    assert store.get_run(run).data.params == {"p": "1"}
    assert len(asked) == 2
    for between in (
        lambda: store.log_outputs("0" * 32, [LoggedModelOutput(model, 0)]),
        lambda: store.get_logged_model(model),
        lambda: store.get_run(new_run(other)),
    ):
        store.say_again(run)
        try:
            between()
        except MlflowException:
            pass
        asked.clear()
        store.get_run(run)
        assert len(asked) == 1


def test_what_is_known_of_a_run_is_told_without_asking(
    make: Callable[..., Any], asked: list[Any]
) -> None:
    kinds = entities()
    store, beside = make("spool"), make("spool")
    run = new_run(store)
    store.log_batch(run, [kinds.Metric("m", 1.0, NOW, 0)], [kinds.Param("p", "1")], [])
    store.log_metric(run, kinds.Metric("no", True, NOW, 0))  # this is sent at once
    with store.saying(run):
        known = store.get_run(run)
        assert (known.data.params, known.data.metrics.keys()) == ({"p": "1"}, {"m", "no"})
        assert not asked
        assert store.get_run(run).data.metrics == {"m": 1.0, "no": 1.0}  # only the first time
    assert len(asked) == 1
    with store.saying(run):
        store.log_param(run, kinds.Param("q", "2"))
        assert store.get_run(run).data.params == {"p": "1", "q": "2"}
    with store.saying(run):
        store.get_experiment("0")  # is asked whatever was logged
        store.get_run(run)
    assert len(asked) == 3

    # what another process logs is not known here, nor of a run that another has made
    beside.log_param(run, kinds.Param("other", "3"))
    strange = new_run(beside)
    for one, params in ((run, {"p", "q", "other"}), (strange, set())):
        asked.clear()
        with store.saying(one):
            assert store.get_run(one).data.params.keys() == params
        assert len(asked) == 1
    store.get_run(strange)
    asked.clear()
    with store.saying(run):
        store.get_run(run)
    with store.saying(strange):
        store.get_run(strange)
    assert [call[1] for call in asked] == [strange]


def test_a_run_that_is_continued_is_asked_for_once(
    make: Callable[..., Any], asked: list[Any]
) -> None:
    kinds = entities()
    found = []
    for kind in ("rest", "spool"):
        store = make(kind)
        run = new_run(make("rest"))
        resume = store.resume_run if kind == "spool" else store.update_run_info
        store.log_metric(run, kinds.Metric("m", 1.0, NOW, 0))
        store.update_run_info(run, kinds.RunStatus.FINISHED, NOW + 5, None)
        said = []
        for tags in ([], [kinds.RunTag("a", "1")], [kinds.RunTag("a", "2")]):
            asked.clear()
            end = store.get_run(run).info.end_time
            resume(run, run_status=kinds.RunStatus.RUNNING, end_time=end, run_name=None)
            if tags:
                store.log_batch(run, [], [], tags)
            again = store.get_run(run)
            assert len(asked) == (1 if kind == "spool" else 2)
            said.append((again.info.status, again.info.end_time, again.data.to_dictionary()))
            said.append(store.get_run(run).data.to_dictionary())
        # something else comes between
        store.get_run(run)
        resume(run, run_status=kinds.RunStatus.RUNNING, end_time=end, run_name=None)
        store.log_param(run, kinds.Param("p", "1"))
        said.append(store.get_run(run).data.to_dictionary())
        found.append(json.loads(json.dumps(said).replace(run, "RUN")))
    assert found[1] == found[0]
