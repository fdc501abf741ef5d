"""Experiments and runs: both readers on a real server, and MLflow's own search beside ours."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perijove.abc.records import Records
from perijove.errors import InvalidInput, TrackingUnreachable
from perijove.models.experiments import View
from perijove.models.runs import RunSearch
from perijove.testing.records import Log, RecordsContract
from perijove.tracking.connection import API, Connection
from perijove.tracking.existing import RestRecords
from perijove.tracking.records import EmbeddedRecords
from tracking.conftest import OWNER, Served, attempt_token

pytestmark = pytest.mark.integration


class Both(RecordsContract):
    """What both need."""

    kind: type[RestRecords]

    @pytest_asyncio.fixture
    async def records(self, mlflow: Served) -> AsyncIterator[Records]:
        connection = Connection(mlflow.uri, token=OWNER, embedded=True)
        yield self.kind(connection)
        await connection.close()

    @pytest_asyncio.fixture
    async def log(self, mlflow: Served) -> AsyncIterator[Log]:
        headers = {"Authorization": f"Bearer {OWNER}"}
        async with httpx.AsyncClient(base_url=mlflow.uri, headers=headers, timeout=60) as client:

            async def send(route: str, body: dict[str, Any]) -> dict[str, Any]:
                answer = await client.post(f"{API}/{route}", json=body)
                assert answer.status_code == 200, answer.text
                found: dict[str, Any] = answer.json()
                return found

            yield send


@pytest.mark.asyncio
class TestEmbedded(Both):
    kind = EmbeddedRecords


@pytest.mark.asyncio
class TestOverRest(Both):
    kind = RestRecords

    async def test_changes_are_noticed(self, records: Records, log: Log) -> None:
        experiment = await self._experiment(records)
        run = await self._run(log, experiment, int(time.time() * 1000))
        first = await records.changes()
        assert first is not None
        assert not first.runs
        await log("runs/set-tag", {"run_id": run, "key": "a", "value": "b"})
        other = await self._run(log, experiment, int(time.time() * 1000))
        found = await records.changes()
        assert found is not None
        assert set(found.runs) == {run, other}
        assert experiment in found.experiments


KEYS = ("a", "b c", "d")
NUMBERS = st.sampled_from([-1.5, 0.0, 0.5, 2.0])
TEXTS = st.sampled_from(["x", "y", "X", "x%", "10", "é"])
METRIC = st.tuples(
    st.sampled_from([f"metrics.`{key}`" for key in KEYS]),
    st.sampled_from([">", ">=", "=", "!=", "<", "<="]),
    NUMBERS.map(str),
)
TEXT = st.tuples(
    st.sampled_from([f"{kind}.`{key}`" for kind in ("params", "tags") for key in KEYS]),
    st.sampled_from(["=", "!=", "LIKE", "ILIKE"]),
    TEXTS.map(lambda text: f"'{text}'"),
)
EMPTY = st.tuples(
    st.sampled_from(["params.d", "tags.d"]),
    st.sampled_from(["IS NULL", "IS NOT NULL"]),
    st.just(""),
)
ATTRIBUTE = st.sampled_from([
    ("attributes.status", "=", "'FINISHED'"), ("attributes.status", "!=", "'RUNNING'"),
    ("attributes.run_name", "LIKE", "'r1%'"), ("attributes.start_time", ">", "5"),
    ("attributes.end_time", "<=", "20"), ("attributes.run_id", "IN", "('x')"),
    ("dataset.name", "=", "'d1'"), ("dataset.context", "IN", "('train', 'test')"),
    ("datasets.digest", "LIKE", "'%2'"),
])  # fmt: skip
FILTERS = st.lists(st.one_of(METRIC, TEXT, EMPTY, ATTRIBUTE), max_size=3).map(
    lambda parts: " AND ".join(" ".join(part).strip() for part in parts)
)
ORDERS = st.lists(
    st.tuples(
        st.sampled_from([
            *(f"metrics.`{key}`" for key in KEYS), "params.a", "tags.`b c`",
            "attributes.start_time", "attributes.status", "attributes.end_time",
        ]),
        st.sampled_from(["", " ASC", " DESC"]),
    ),
    max_size=3,
    unique_by=lambda item: item[0],
).map(lambda items: ["".join(item) for item in items])  # fmt: skip


@pytest.fixture(scope="module")
def many(mlflow: Served) -> tuple[Served, str]:
    """An experiment with runs of all sorts."""
    made = mlflow.post("experiments/create", {"name": f"many {time.time()}"}).json()
    experiment = made["experiment_id"]
    values = [-1.5, 0.0, 0.5, 2.0, "NaN", "Infinity"]
    for n in range(24):
        body = {"experiment_id": experiment, "start_time": n % 7, "run_name": f"r{n}"}
        run = mlflow.post("runs/create", body).json()["run"]["info"]["run_id"]
        keys = [key for m, key in enumerate(KEYS) if (n + m) % 3]
        metrics = [{"key": k, "value": values[(n * 5 + m) % 6], "timestamp": 1, "step": 0}
                   for m, k in enumerate(keys)]  # fmt: skip
        texts = [{"key": k, "value": ["x", "y", "X", "x%", "10", "é"][(n + m) % 6]}
                 for m, k in enumerate(keys)]  # fmt: skip
        batch = {"run_id": run, "metrics": metrics, "params": texts, "tags": texts[::-1]}
        assert mlflow.post("runs/log-batch", batch).status_code == 200
        if n % 2:
            mlflow.post("runs/update", {"run_id": run, "status": "FINISHED", "end_time": n})
        if n % 4 == 1:
            dataset = {"name": f"d{n % 3}", "digest": str(n % 5), "source_type": "l", "source": "s"}
            tag = {"key": "mlflow.data.context", "value": ["train", "eval"][n % 8 == 1]}
            inputs = {"run_id": run, "datasets": [{"dataset": dataset, "tags": [tag]}]}
            assert mlflow.post("runs/log-inputs", inputs).status_code == 200
    return mlflow, experiment


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=FILTERS, order_by=ORDERS)
def test_search_is_mlflow_s(many: tuple[Served, str], text: str, order_by: list[str]) -> None:
    mlflow, experiment = many
    asked = {"experiment_ids": [experiment], "filter": text, "order_by": order_by}
    theirs = mlflow.post("runs/search", asked | {"max_results": 1000}).json()
    with mlflow.client() as client:
        ours = client.post("/perijove/search", json=asked).json()
    assert "runs" in ours, (ours, theirs)
    expected = [run["info"]["run_id"] for run in theirs.get("runs", [])]
    assert [run["run_id"] for run in ours["runs"]] == expected
    assert ours["total"] == len(expected)


def test_the_studio_s_routes_are_the_hub_s(mlflow: Served) -> None:
    token = attempt_token(mlflow.folder)
    for route in ("experiments", "columns", "search", "history", "points", "move"):
        with mlflow.client(token) as client:
            assert client.post(f"/perijove/{route}", json={}).status_code == 403
        with mlflow.client(None) as client:
            assert client.post(f"/perijove/{route}", json={}).status_code == 401
        with mlflow.client() as client:
            # nothing that is sent there is a failure of the server's
            for body in (b"", b"{}", b"[]", b'{"run_ids": 1}', b"\xff"):
                answer = client.post(f"/perijove/{route}", content=body)
                assert answer.status_code in (200, 422), (route, body)


def test_writes_are_told(mlflow: Served) -> None:
    mlflow.datagrams()
    run = mlflow.make_run()
    batch = {"run_id": run, "metrics": [{"key": "a", "value": 1, "timestamp": 1, "step": 0}]}
    mlflow.post("runs/log-batch", batch)
    mlflow.post("registered-models/create", {"name": f"told {run}"})
    mlflow.post("runs/set-tag", {"run_id": "0" * 32, "key": "a", "value": "b"})  # refused
    told: dict[str, set[str]] = {"runs": set(), "experiments": set(), "models": set()}
    deadline = time.monotonic() + 30
    while not (run in told["runs"] and told["models"]):
        assert time.monotonic() < deadline
        time.sleep(0.02)
        for change in mlflow.changes():
            for kind, names in told.items():
                names |= set(change[kind])
    assert "0" in told["experiments"]
    assert f"told {run}" in told["models"]
    assert "0" * 32 not in told["runs"]


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [EmbeddedRecords, RestRecords])
async def test_a_server_that_is_away(kind: type[RestRecords]) -> None:
    connection = Connection("http://127.0.0.1:1", embedded=True)
    records = kind(connection)
    for ask in (
        records.experiments(View.ACTIVE),
        records.search(RunSearch(experiment_ids=["0"])),
        records.run("x"),
    ):
        with pytest.raises(TrackingUnreachable) as error:
            await ask
        assert error.value.remedy
        assert error.value.status == 503
    await connection.close()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "text",
    ["attributes.start_time > 9223372036854775808", "metrics.a > 1 AND created<=-" + "9" * 40],
)
async def test_a_time_that_mlflow_would_fail_at(text: str) -> None:
    records = RestRecords(Connection("http://127.0.0.1:1"))
    for ask in (
        records.search(RunSearch(experiment_ids=["0"], filter=text)),
        records.experiments(View.ACTIVE, text),
    ):
        with pytest.raises(InvalidInput, match="64 bits") as error:
            await ask
        assert error.value.field == "filter"
    for fine in ("start_time > 9223372036854775807", f"metrics.fit_time > {2**70}"):
        with pytest.raises(TrackingUnreachable):
            await records.search(RunSearch(experiment_ids=["0"], filter=fine))
    await records._connection.close()


def test_values_are_json(many: tuple[Served, str]) -> None:
    """NaN and infinities are words: browsers refuse JSON that has them as numbers."""
    mlflow, experiment = many
    with mlflow.client() as client:
        answer = client.post("/perijove/search", json={"experiment_ids": [experiment]})

    def refuse(word: str) -> None:
        raise AssertionError(word)

    runs = json.loads(answer.content, parse_constant=refuse)["runs"]
    values = {value for run in runs for value in run["metrics"].values()}
    assert {"NaN", "Infinity"} <= values
