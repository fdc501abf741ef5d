"""Logging in a job does what MLflow's REST store does: the same calls, compared."""

from __future__ import annotations

import json
import math
import os
import string
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perijove.models.logged import LoggedSpool, records
from perijove.runner.sender import Sender
from tracking.conftest import Served
from tracking.stores import NOW, entities, new_run, outcome

pytestmark = pytest.mark.integration
LONG = "x" * 6001


def state(store: Any, run_id: str, metrics: list[str]) -> Any:
    run = store.get_run(run_id)
    history = {
        key: sorted(
            (m.step, m.timestamp, repr(m.value)) for m in store.get_metric_history(run_id, key)
        )
        for key in metrics
    }
    data = run.data
    latest = {key: repr(value) for key, value in data.metrics.items()}
    info = {k: v for k, v in vars(run.info).items() if k not in ("_run_id", "_artifact_uri")}
    return latest, data.params, data.tags, info, history


METRICS: list[tuple[Any, ...]] = [
    ("loss", 0.5, NOW, 0),
    ("loss", 0.25, NOW + 1, 1),
    ("loss", 0.25, NOW + 1, 1),
    ("loss", 0.75, NOW - 5, -3),
    ("nan", math.nan, NOW, 0),
    ("nan", math.nan, NOW, 0),
    ("inf", math.inf, NOW, 0),
    ("inf", -math.inf, NOW, 1),
    ("whole", 3, NOW, 0),
    ("huge", 10**400, NOW, 0),
    ("bool", True, NOW, 0),
    ("text", "high", NOW, 0),
    ("none", None, NOW, 0),
    ("zeit", 1.0, -1, 0),
    ("zeit", 1.0, 2**63, 0),
    ("zeit", 1.0, float(NOW), 0),
    ("step", 1.0, NOW, 2**63),
    ("step", 1.0, NOW, 1.5),
    ("step", 1.0, NOW, None),
    ("a/b c:d.e-f_g", 1.0, NOW, 0),
    ("ünï", 1.0, NOW, 0),
    ("../up", 1.0, NOW, 0),
    ("/root", 1.0, NOW, 0),
    ("a//b", 1.0, NOW, 0),
    (".", 1.0, NOW, 0),
    ("", 1.0, NOW, 0),
    ("a#b", 1.0, NOW, 0),
    ("<b>&%2F\u202e", 1.0, NOW, 0),
    ("new\nline", 1.0, NOW, 0),
    ("end\n", 1.0, NOW, 0),
    ("k" * 250, 1.0, NOW, 0),
    ("k" * 251, 1.0, NOW, 0),
    (None, 1.0, NOW, 0),
    (5, 1.0, NOW, 0),
    ("\ud800", 1.0, NOW, 0),
]
WORDS: list[tuple[Any, Any]] = [
    ("depth", "3"),
    ("depth", "3"),
    ("depth", "5"),
    ("empty", ""),
    ("none", None),
    ("number", 3),
    ("long", LONG),
    ("longer", "y" * 1_000_000),
    ("text", "ünï\u202e<script>\n\x1e\x00"),
    ("torn", "\ud800"),
    ("a#b", "v"),
    ("../up", "v"),
    ("k" * 251, "v"),
    (None, "v"),
    ("perijove.run_id", "0" * 32),
    ("perijove.mine", "v"),
    ("mlflow.runName", "renamed"),
    ("mlflow.note.content", "# note"),
]


@pytest.mark.parametrize("batch", [False, True], ids=["one by one", "log_batch"])
def test_the_same_calls_have_the_same_results(make: Callable[..., Any], batch: bool) -> None:
    kinds = entities()
    found = []
    for kind in ("rest", "spool"):
        store = make(kind)
        run = new_run(store)
        calls: list[Callable[[], Any]] = []
        for item in METRICS:
            metric = kinds.Metric(*item)
            one = partial(store.log_metric, run, metric)
            calls.append(partial(store.log_batch, run, [metric], [], []) if batch else one)
        for key, value in WORDS:
            param, tag = kinds.Param(key, value), kinds.RunTag(key, value)
            if batch:
                calls.append(partial(store.log_batch, run, [], [param], []))
                calls.append(partial(store.log_batch, run, [], [], [tag]))
            else:
                calls.append(partial(store.log_param, run, param))
                calls.append(partial(store.set_tag, run, tag))
        outcomes = [outcome(call, run) for call in calls]
        keys = sorted({item[0] for item in METRICS if isinstance(item[0], str)} - {"", "\ud800"})
        found.append((outcomes, outcome(partial(state, store, run, keys), run)))
    (said, ended), (said_by_ours, ended_by_ours) = found
    for number, (theirs, ours) in enumerate(zip(said, said_by_ours, strict=True)):
        assert ours == theirs, number
    assert ended_by_ours == ended


def test_batches_runs_and_their_ends(make: Callable[..., Any]) -> None:
    kinds = entities()
    found = []
    for kind in ("rest", "spool"):
        store = make(kind)
        run, other = new_run(store), new_run(store, "other")
        metrics = [kinds.Metric(f"m{i % 7}", i / 3, NOW + i, i) for i in range(1000)]
        params = [kinds.Param(f"p{i}", str(i)) for i in range(100)]
        tags = [kinds.RunTag(f"t{i}", str(i)) for i in range(100)]
        calls: list[Callable[[], Any]] = [
            partial(store.log_batch, run, metrics, [], []),
            partial(store.log_batch, run, [*metrics, metrics[0]], [], []),
            partial(store.log_batch, run, metrics[:10], params, tags),
            partial(store.log_batch, run, [], [params[0], params[0]], []),
            partial(store.log_batch, run, [], [*params, kinds.Param("q", "1")], []),
            partial(store.log_batch, run, [], [], [tags[0], kinds.RunTag("t0", "later")]),
            partial(store.log_batch, run, metrics[:1], [kinds.Param("p0", "other")], tags[:1]),
            partial(store.log_batch, run, [], [], []),
            partial(store.delete_tag, run, "t1"),
            partial(store.delete_tag, run, "t1"),
            partial(store.set_tag, run, kinds.RunTag("t1", "again")),
            partial(store.log_param, "0" * 32, params[0]),
            partial(store.log_metric, "0" * 32, metrics[0]),
            partial(store.log_metric, "no such run", metrics[0]),
            partial(store.log_metric, None, metrics[0]),
            partial(store.set_tag, "../x", tags[0]),
            partial(store.update_run_info, run, kinds.RunStatus.FINISHED, NOW + 5, None),
            partial(store.update_run_info, run, kinds.RunStatus.RUNNING, None, None),
            partial(store.update_run_info, run, kinds.RunStatus.FAILED, NOW + 9, "renamed"),
            partial(store.log_metric, run, metrics[5]),
            partial(store.log_metric, other, metrics[6]),
            partial(store.delete_run, other),
            partial(store.log_metric, other, metrics[7]),
            partial(store.log_param, other, params[0]),
            partial(store.restore_run, other),
            partial(store.log_metric, other, metrics[8]),
        ]
        outcomes = [
            outcome(
                lambda c=call, o=other: json.loads(
                    json.dumps(c(), default=vars).replace(o, "OTHER")
                ),
                run,
            )
            for call in calls
        ]
        keys = [f"m{i}" for i in range(7)]
        found.append(
            (
                [json.dumps(said).replace(other, "OTHER") for said in outcomes],
                state(store, run, keys),
                state(store, other, keys),
            )
        )
    assert found[1] == found[0]


def test_inputs(make: Callable[..., Any], tmp_path: Path) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput

    def of(name: Any, schema: Any = "{}", tag: str = "train", **given: Any) -> Any:
        told = {"digest": "d", "source_type": "local", "source": "{}"} | given
        about = Dataset(name=name, schema=schema, profile=None, **told)
        return DatasetInput(about, [InputTag("mlflow.data.context", tag)])

    given: list[tuple[Any, ...]] = [
        ([of("rows")],), ([of("rows")],), ([of("rows", tag="eval")],),
        ([of("a"), of("b"), of("ünï\u202e", None)],), ([of("long", "s" * 950_000)],),
        ([of("n" * 501)],), ([of("none", digest=None)],), ([of(5)],), ([of("rows"), None],),
        ([],), (None,), ((of("tuple"),),), ([of("both")], [LoggedModelInput("m-none")]),
    ]  # fmt: skip
    found = []
    for kind in ("rest", "spool"):
        store = make(kind)
        run, gone = new_run(store), new_run(store, "gone")
        said = [outcome(partial(store.log_inputs, run, *each), run) for each in given]
        said.append(outcome(partial(store.log_inputs, "0" * 32, *given[0]), run))
        # the metric comes after what it is about
        point = entities().Metric("m", 1.0, NOW, 0, dataset_name="a", dataset_digest="d")
        store.log_metric(run, point)
        store.delete_run(gone)
        said.append(outcome(partial(store.log_inputs, gone, *given[0]), gone))
        end = store.get_run(run)
        found.append((said, end.inputs.to_dictionary(), end.data.metrics))
    assert found[1] == found[0]
    kinds = [fields[0] for fields in records(store._spool.path.read_bytes()) if fields[1] == run]
    assert kinds == ["i"] * 4


def test_outputs(make: Callable[..., Any]) -> None:
    kinds = entities()
    found = []
    for kind in ("rest", "spool"):
        store = make(kind)
        run, gone = new_run(store), new_run(store, "gone")
        strange, *made = [
            each.create_logged_model("0", "model").model_id
            for each in (make("rest"), store, store, store)
        ]
        given: list[tuple[str, list[Any]]] = [
            (run, [(made[0], 3)]), (run, [(made[0], 3)]), (run, [(strange, 0)]),
            (run, [(made[1], 0), (strange, 0)]), (run, []), (run, [(made[2], 2**70)]),
            (run, [(made[2], -1)]), ("0" * 32, [(made[1], 0)]),
        ]  # fmt: skip
        outputs = [(of, [kinds.LoggedModelOutput(*item) for item in each]) for of, each in given]
        said = [outcome(partial(store.log_outputs, *each), run) for each in outputs]
        store.delete_run(gone)
        said.append(outcome(partial(store.log_outputs, gone, outputs[0][1]), gone))
        said = [each and each[:2] for each in said]  # its words have ids of rows
        end = json.dumps([said, sorted(store.get_run(run).outputs.to_dictionary()["model_outputs"],
            key=lambda output: [strange, *made].index(output["model_id"]))])  # fmt: skip
        for name, model in zip("sabc", [strange, *made], strict=True):
            end = end.replace(model, name)
        found.append(json.loads(end))
    assert found[1] == found[0]
    kinds = [fields[0] for fields in records(store._spool.path.read_bytes()) if fields[1] == run]
    assert kinds == ["o"] * 2


NAMES = st.one_of(
    st.sampled_from(["a", "b", "c/d", "../e", "", "f#"]),
    st.text(string.ascii_letters + "/. -_:ü\n", max_size=8),
)
NUMBERS = st.one_of(st.floats(), st.integers(-(2**70), 2**70), st.just(None))
STEPS = st.one_of(st.integers(-5, 5), st.integers(-(2**65), 2**65))
TEXTS = st.one_of(st.sampled_from(["1", "2", ""]), st.text(max_size=20))
STEP = st.one_of(
    st.tuples(st.just("metric"), NAMES, NUMBERS, STEPS),
    st.tuples(st.just("param"), NAMES, TEXTS),
    st.tuples(st.just("tag"), NAMES, TEXTS),
    st.tuples(st.just("delete"), NAMES),
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEP, max_size=8))
def test_any_calls_have_the_same_results(make: Callable[..., Any], steps: list[Any]) -> None:
    kinds = entities()
    found = []
    for kind in ("rest", "spool"):
        store = make(kind)
        run = new_run(store)
        said = []
        for what, name, *rest in steps:
            if what == "metric":
                call = partial(store.log_metric, run, kinds.Metric(name, rest[0], NOW, rest[1]))
            elif what == "param":
                call = partial(store.log_param, run, kinds.Param(name, rest[0]))
            elif what == "tag":
                call = partial(store.set_tag, run, kinds.RunTag(name, rest[0]))
            else:
                call = partial(store.delete_tag, run, name)
            said.append(outcome(call, run))
        if kind == "spool":
            with store.saying(run):
                known = store.get_run(run).data
        latest, params, tags, *_ = state(store, run, [])
        found.append((said, latest, params, tags))
    assert found[1] == found[0]
    now = store.get_run(run).data
    assert (known.params, known.metrics.keys()) == (now.params, now.metrics.keys())


def test_threads_and_forks_log_at_once(make: Callable[..., Any]) -> None:
    kinds = entities()
    store = make("spool")
    run = new_run(store)

    def work(who: str) -> None:
        for i in range(200):
            store.log_metric(run, kinds.Metric(who, float(i), NOW, i))

    threads = [threading.Thread(target=work, args=(f"thread{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    children = []
    for n in range(3):
        if (pid := os.fork()) == 0:
            code = 1
            try:
                work(f"child{n}")
                code = int(len(store.get_metric_history(run, f"child{n}")) != 200)
            finally:
                os._exit(code)
        children.append(pid)
    for thread in threads:
        thread.join()
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
    for who in [*(f"thread{n}" for n in range(4)), *(f"child{n}" for n in range(3))]:
        points = store.get_metric_history(run, who)
        assert sorted(m.step for m in points) == list(range(200))


def test_what_is_left_is_sent_by_another_process(
    make: Callable[..., Any], mlflow: Served, tmp_path: Path
) -> None:
    from mlflow.utils.credentials import get_default_host_creds

    from perijove.tracking.jobstore import SpoolingStore

    kinds = entities()
    store = SpoolingStore(
        partial(get_default_host_creds, mlflow.uri), str(tmp_path / "mlflow.spool")
    )
    run = new_run(store)
    for i in range(3000):
        store.log_metric(run, kinds.Metric("loss", i / 7, NOW + i, i))
    store.log_param(run, kinds.Param("p", "1"))
    # another process was quicker with this one
    make("rest").log_param(run, kinds.Param("q", "theirs"))
    store.log_batch(run, [kinds.Metric("last", 1.0, NOW, 0)], [kinds.Param("q", "ours")], [])
    store.update_run_info(run, kinds.RunStatus.FINISHED, NOW + 9, None)
    with (tmp_path / "mlflow.spool").open("ab") as file:
        file.write(b'\x1e["m","cut off')
    environ = {
        "PERIJOVE_SPOOL_URI": mlflow.uri,
        "MLFLOW_TRACKING_TOKEN": os.environ["MLFLOW_TRACKING_TOKEN"],
    }
    said: list[str] = []
    assert Sender(tmp_path, environ, said.append).finish(stopped=False)
    assert len(said) == 1
    assert "the parameter q" in said[0]
    latest, params, _, info, history = state(make("rest"), run, ["loss", "last"])
    assert [len(history[key]) for key in ("loss", "last")] == [3000, 1]
    assert params == {"p": "1", "q": "theirs"}
    assert info["_status"] == "FINISHED"
    assert latest["loss"] == repr(2999 / 7)
    # once more, as after a kill between the answer and its note: nothing is doubled
    (tmp_path / "mlflow.sent").unlink()
    assert Sender(tmp_path, environ, said.append).finish(stopped=False)
    assert state(make("rest"), run, ["loss", "last"])[4] == history


def test_outside_of_jobs_nothing_changes(
    mlflow: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mlflow.store.tracking.rest_store import RestStore

    from perijove.tracking.jobstore import SpoolingStore
    from perijove.tracking.spooled import job_store

    assert type(job_store(mlflow.uri)) is RestStore
    monkeypatch.setenv("PERIJOVE_SPOOL", str(tmp_path / "mlflow.spool"))
    monkeypatch.setenv("PERIJOVE_SPOOL_URI", mlflow.uri)
    assert type(job_store(f"{mlflow.uri}/")) is SpoolingStore
    assert type(job_store("http://127.0.0.1:9")) is RestStore


def test_a_torn_record_spoils_no_other(tmp_path: Path) -> None:
    spool = LoggedSpool(tmp_path / "mlflow.spool")
    spool.path.write_bytes(b'\x1e["t","r","a","1"]\n\x1e["t","r","b\x1e["t","r","c","3"]\n\x1e["t')
    assert [found[2] for found in records(spool.path.read_bytes())] == ["a", "c"]
    sent: list[Any] = []
    assert spool.drain(lambda _, body: sent.append(body), pytest.fail)
    assert sent == [
        {"run_id": "r", "tags": [{"key": "a", "value": "1"}, {"key": "c", "value": "3"}]}
    ]
    assert spool.drain(lambda _, body: sent.append(body), pytest.fail)
    assert len(sent) == 1
