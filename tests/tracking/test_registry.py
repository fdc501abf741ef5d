"""The model registry against real MLflow servers: the hub's own, and one that anybody runs."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import JsonValue, ValidationError

from perijove.errors import Conflict, InvalidInput, NotFound, TrackingUnreachable
from perijove.models.experiments import NewExperiment
from perijove.models.registry import AliasMove, ModelChange, NewVersion, VersionChange
from perijove.runner import tasks
from perijove.services.experiments import ExperimentService
from perijove.services.registry import Registry
from perijove.services.uploads import Uploads
from perijove.tracking.api import Api
from perijove.tracking.connection import Connection
from perijove.tracking.existing import RestRecords
from perijove.tracking.registry import RestRegistry
from tracking.conftest import API, OWNER, Served
from tracking.plain import plain_mlflow

pytestmark = pytest.mark.integration
T = TypeVar("T")

MLMODEL = """\
flavors:
  python_function: {loader_module: mlflow.sklearn, python_version: 3.11.2, model_path: model.pkl}
  sklearn: {pickled_model: model.pkl, serialization_format: cloudpickle}
mlflow_version: 3.17.2
saved_input_example_info: {artifact_path: input_example.json}
signature:
  inputs: '[{"type": "double", "name": "<b>age</b>", "required": true},
    {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}}]'
  outputs: '[{"type": "long", "required": true}]'
"""
FILES = {
    "MLmodel": MLMODEL,
    "model.pkl": "cos\nsystem\n(S'touch /tmp/perijove-was-unpickled'\ntR.",
    "input_example.json": '{"columns": ["age"], "data": [[33.0]]}',
    "requirements.txt": "scikit-learn==1.7\n# a comment\n",
}


class Here:
    """Runs tasks in this process."""

    async def run(self, task: str, args: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        values: dict[str, Any] = dict(args)
        return dict(getattr(tasks, task)(**values))


@dataclass
class Bench:
    """A server, and the service under test on it."""

    uri: str
    token: str | None
    folder: Path | None
    staging: Path

    def __post_init__(self) -> None:
        self.jobs: list[Any] = []

    def run(self, work: Callable[[Registry], Awaitable[T]]) -> T:
        """Do something with a service of its own."""

        async def inside() -> T:
            embedded = self.folder is not None
            connection = Connection(self.uri, token=self.token, embedded=embedded)
            models = RestRegistry(Api(connection, embedded), self.folder)
            store: Any = SimpleNamespace(active=lambda: self.jobs)
            try:
                staged = Uploads(self.staging)
                return await work(Registry(models, store, staged, Here(), "ann"))
            finally:
                await connection.close()

        return asyncio.run(inside())

    def call(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        """MLflow's own API."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        url = path if path.startswith("/") else f"{API}/{path}"
        answer = httpx.request(
            method, f"{self.uri}{url}", headers=headers, timeout=60, trust_env=False, **content
        )
        answer.raise_for_status()
        return dict(json.loads(answer.content or b"{}"))

    def make_run(self) -> tuple[str, str]:
        """A run with a metric; its id and where its artifacts are, for the proxy."""
        body = {"experiment_id": "0", "run_name": "trained"}
        info = self.call("POST", "runs/create", json=body)["run"]["info"]
        metric = {"run_id": info["run_id"], "key": "auc", "value": 0.9, "timestamp": 1, "step": 0}
        self.call("POST", "runs/log-metric", json=metric)
        return info["run_id"], info["artifact_uri"].partition(":/")[2].strip("/")

    def put(self, root: str, files: Mapping[str, str | bytes]) -> None:
        for path, content in files.items():
            url = f"/api/2.0/mlflow-artifacts/artifacts/{root}/{path}"
            self.call("PUT", url, content=content)

    def logged_run(self) -> str:
        """A run with a model's files below ``model``."""
        run_id, root = self.make_run()
        self.put(f"{root}/model", FILES)
        return run_id


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with plain_mlflow(tmp_path_factory.mktemp("plain")) as uri:
        yield uri


@pytest.fixture(params=["embedded", "existing"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    if request.param == "existing":
        return Bench(request.getfixturevalue("plain"), None, None, tmp_path / "uploads")
    served: Served = request.getfixturevalue("mlflow")
    return Bench(served.uri, OWNER, served.folder.artifacts, tmp_path / "uploads")


def fresh() -> str:
    return f"churn {uuid4().hex[:8]}"


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def test_register_show_move_and_delete(bench: Bench) -> None:
    name, run_id = fresh(), bench.logged_run()

    async def work(models: Registry) -> None:
        wish = NewVersion(name=name, run_id=run_id, path="model", tags={"team": "a"})
        first = await models.register(wish)
        assert (first.version, first.run_id, first.run_name) == ("1", run_id, "trained")
        assert (first.metrics, first.tags) == ({"auc": 0.9}, {"team": "a"})
        await models.register(NewVersion(name=name, run_id=run_id, path="model"))

        moved = await models.move_alias(name, "champion", AliasMove(version="1", reason="best"))
        alias = moved.aliases[0]
        assert (alias.version, alias.reason, alias.moved_by) == ("1", "best", "ann")
        with pytest.raises(Conflict) as told:
            await models.move_alias(name, "champion", AliasMove(version="2", expected=None))
        assert "ann has pointed" in told.value.message
        assert "version 1" in told.value.message
        assert "best" in told.value.message
        moved = await models.move_alias(name, "champion", AliasMove(version="2", expected="1"))
        assert moved.tags == {}
        assert (await models.version(name, "@champion")).version == "2"
        listed = await models.versions(name)
        assert [(v.version, v.aliases, v.metrics) for v in listed] == [
            ("2", ["champion"], {"auc": 0.9}),
            ("1", [], {"auc": 0.9}),
        ]
        found = next(m for m in await models.all() if m.name == name)
        assert (found.versions, found.latest_version) == (2, "2")
        assert [m.name for m in await models.all(f"name = '{name}'")] == [name]
        with pytest.raises(InvalidInput) as refused:
            await models.all("nam = 1")
        assert refused.value.field == "filter"

        changed = await models.change(
            name, ModelChange(description="# It", tags={"a b": "<i>", "gone": None}, archived=True)
        )
        assert (changed.description, changed.tags, changed.archived) == ("# It", {"a b": "<i>"}, 1)
        assert all(m.name != name for m in await models.all())
        assert any(m.name == name for m in await models.all(archived=True))
        await models.change(name, ModelChange(archived=False, tags={"a b": None}))
        version = await models.change_version(name, "1", VersionChange(description="d"))
        assert version.description == "d"

        kinds = {node.kind for node in (await models.lineage(name, "1")).nodes}
        assert kinds == {"run", "version"}
        with pytest.raises(Conflict) as told:
            await models.delete_version(name, "2")
        assert "champion" in told.value.message
        assert "archiv" in (told.value.remedy or "")
        await models.delete_version(name, "2", force=True)
        left = await models.get(name)
        assert (left.aliases, left.versions, left.tags) == ([], 1, {})
        bench.jobs = [SimpleNamespace(id="j", name="score", parameters={"m": f"models:/{name}/1"})]
        assert [use.label for use in await models.uses(name, "1")] == ["score"]
        assert await models.uses(name, "11") == []
        with pytest.raises(Conflict, match="score"):
            await models.delete(name)
        await models.delete(name, force=True)
        with pytest.raises(NotFound):
            await models.get(name)

    bench.run(work)


def test_a_parquet_file_of_a_version_is_a_table(bench: Bench) -> None:
    name, (run_id, root) = fresh(), bench.make_run()
    file = io.BytesIO()
    pq.write_table(pa.table({"age": [33, None]}), file)
    bench.put(f"{root}/model", {"train.parquet": file.getvalue(), "broken.parquet": "PAR1"})

    async def work(models: Registry) -> None:
        await models.register(NewVersion(name=name, run_id=run_id, path="model"))
        shown = await models.files.preview(name, "1", "train.parquet")
        assert (shown.columns, shown.rows) == (["age"], [["33"], [None]])
        assert (await models.files.preview(name, "1", "broken.parquet")).kind == "none"

    bench.run(work)


def test_facts_are_read_as_text(bench: Bench) -> None:
    name, run_id = fresh(), bench.logged_run()

    async def work(models: Registry) -> None:
        await models.register(NewVersion(name=name, run_id=run_id, path="model"))
        facts = await models.files.facts(name, "1")
        assert set(facts.flavors) == {"python_function", "sklearn"}
        assert [(c.name, c.type, c.shape) for c in facts.inputs] == [
            ("<b>age</b>", "double", None),
            (None, "float64", [-1, 4]),
        ]
        assert facts.input_example == {"columns": ["age"], "data": [[33.0]]}
        assert (facts.requirements, facts.python) == (["scikit-learn==1.7"], "3.11.2")
        assert facts.files == 4
        assert any("model.pkl" in warning for warning in facts.warnings)
        page = await models.files.page(name, "1")
        assert [entry.path for entry in page.entries] == sorted(FILES)
        assert (await models.files.preview(name, "1", "model.pkl")).kind in ("text", "none")
        assert (await models.files.preview(name, "1", "input_example.json")).kind == "json"
        with pytest.raises(NotFound):
            await models.files.preview(name, "1", "nope.txt")
        with pytest.raises(InvalidInput):
            await models.files.page(name, "1", "../..")
        file, pieces = await models.files.download(name, "1")
        archive = zipfile.ZipFile(io.BytesIO(b"".join([piece async for piece in pieces])))
        assert file.endswith("-1.zip")
        assert {i.filename: archive.read(i).decode() for i in archive.infolist()} == FILES

    bench.run(work)
    assert not Path("/tmp/perijove-was-unpickled").exists()


def test_files_from_outside(bench: Bench) -> None:
    name = fresh()

    async def work(models: Registry) -> None:
        upload, _ = await models.upload(once(b"lgb"), "model.txt", None, 0)
        _, files = await models.upload(once(b"m"), "model.txt", upload, 3)
        assert files == ["model.txt"]
        with pytest.raises(Conflict):
            await models.upload(once(b"x"), "model.txt", upload, 99)
        with pytest.raises(InvalidInput):
            await models.upload(once(b"x"), "../evil", upload, 0)
        with pytest.raises(InvalidInput) as refused:
            await models.register(NewVersion(name=name, upload=upload, flavor="cobol"))
        assert refused.value.field == "flavor"
        made = await models.register(
            NewVersion(name=name, upload=upload, flavor="lightgbm", alias="new")
        )
        assert (made.version, made.run_id, made.aliases) == ("1", None, ["new"])
        assert made.model_id is not None
        facts = await models.files.facts(name, "1")
        assert facts.flavors["lightgbm"]["data"] == "model.txt"
        again = await models.register(NewVersion(name=name, model_id=made.model_id))
        assert (again.version, again.model_id) == ("2", made.model_id)
        # no flavour: the files as they are
        upload, _ = await models.upload(once(b"\0\1"), "weights/a.bin", None, 0)
        await models.upload(once(b"hello"), "notes.md", upload, 0)
        await models.register(NewVersion(name=name, upload=upload))
        facts = await models.files.facts(name, "3")
        assert (facts.files, facts.size) == (2, 7)
        assert "no MLmodel" in facts.warnings[-1]
        kinds = {n.kind for n in (await models.lineage(name, "3")).nodes}
        assert kinds == {"model", "version"}
        with pytest.raises(NotFound):
            await models.register(NewVersion(name=name, upload=upload))

    bench.run(work)


def test_a_logged_model_s_name_is_a_path_of_its_run(bench: Bench) -> None:
    run_id, _ = bench.make_run()
    body = {"experiment_id": "0", "name": "net", "source_run_id": run_id}
    info = bench.call("POST", "logged-models", json=body)["model"]["info"]
    bench.put(info["artifact_uri"].partition(":/")[2].strip("/"), {"MLmodel": "flavors: {}"})
    outputs = {"run_id": run_id, "models": [{"model_id": info["model_id"], "step": 0}]}
    bench.call("POST", "runs/outputs", json=outputs)

    async def work(models: Registry) -> None:
        made = await models.register(NewVersion(name=fresh(), run_id=run_id, path="net"))
        assert (made.model_id, made.run_id) == (info["model_id"], run_id)
        assert {n.kind for n in (await models.lineage(made.name, "1")).nodes} == {
            "model",
            "run",
            "version",
        }
        with pytest.raises(NotFound) as missing:
            await models.register(NewVersion(name=fresh(), run_id=run_id, path="nothing"))
        assert missing.value.field == "path"
        for wish in ({"run_id": "f" * 32, "path": "m"}, {"model_id": "m-0"}, {"upload": "x"}):
            name = fresh()
            with pytest.raises(NotFound):
                await models.register(NewVersion(name=name, **wish))
            with pytest.raises(NotFound):  # nothing half-made
                await models.get(name)

    bench.run(work)


def test_a_source_that_names_a_run_is_read(bench: Bench) -> None:
    name, run_id = fresh(), bench.logged_run()
    bench.call("POST", "registered-models/create", json={"name": name})
    source = {"name": name, "source": f"runs:/{run_id}/model", "run_id": run_id}
    bench.call("POST", "model-versions/create", json=source)

    async def work(models: Registry) -> None:
        page = await models.files.page(name, "1")
        assert "MLmodel" in {entry.path for entry in page.entries}
        with pytest.raises(NotFound) as told:
            await models.get("nobody's")
        assert told.value.field == "name"
        with pytest.raises(NotFound) as told:
            await models.version(name, "7")
        assert told.value.field == "version"

    bench.run(work)


def test_32_registrations_of_one_name_at_once(bench: Bench) -> None:
    name, run_id = fresh(), bench.logged_run()

    async def work(models: Registry) -> list[str]:
        wishes = [NewVersion(name=name, run_id=run_id, path="model") for _ in range(32)]
        made = await asyncio.gather(*map(models.register, wishes))
        assert len(await models.versions(name)) == 32
        return [version.version for version in made]

    assert sorted(map(int, bench.run(work))) == list(range(1, 33))


def test_a_wish_that_is_sent_again_is_met_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, after another has moved the alias, and by a hub that saw no answer the first time;
    the same goes for experiments."""
    name, run_id = fresh(), bench.logged_run()
    create = RestRegistry.create_version

    async def lost(*args: Any) -> Any:
        await create(*args)
        raise TrackingUnreachable("MLflow answered 503.")

    def wish(**more: Any) -> NewVersion:
        return NewVersion(name=name, run_id=run_id, path="model", **more)

    async def work(models: Registry) -> None:
        first = wish(alias="best")
        made = await asyncio.gather(models.register(first), models.register(first))
        assert [version.version for version in made] == ["1", "1"]
        assert (made[0].aliases, made[0].tags) == (["best"], {})
        with monkeypatch.context() as patch:
            patch.setattr(RestRegistry, "create_version", lost)
            assert (await models.register(wish(alias="best"))).version == "2"
        assert (await models.register(first)).version == "1"
        assert (await models.version(name, "@best")).version == "2"
        assert len(await models.versions(name)) == 2

        files, _ = await models.upload(once(b"x"), "model.bin", None, 0)
        brought = NewVersion(name=name, upload=files)
        assert {(await models.register(brought)).version for _ in range(2)} == {"3"}

        connection = Connection(bench.uri, token=bench.token, embedded=bench.folder is not None)
        experiments = ExperimentService(RestRecords(connection))
        asked = NewExperiment(name=fresh(), tags={"team": "a"})
        ids = {(await experiments.create(asked)).id for _ in range(2)}
        assert len(ids) == 1
        with pytest.raises(Conflict):
            await experiments.create(NewExperiment(name=asked.name))
        await connection.close()

    bench.run(work)


def test_strange_names_are_text_and_not_made_by_us(bench: Bench) -> None:
    strange = f"<img src=x onerror=alert(1)> %2e%2e it's \u202e{uuid4().hex[:6]}"
    bench.call("POST", "registered-models/create", json={"name": strange})

    async def work(models: Registry) -> None:
        assert (await models.get(strange)).name == strange
        assert await models.versions(strange) == []
        await models.change(strange, ModelChange(description="seen"))
        await models.change(strange, ModelChange(name=fresh()))

    bench.run(work)
    for bad in (strange, "a/b", "a%2Fb", "", " a", "a\u202eb", "x" * 300, "a:b"):
        with pytest.raises(ValidationError):
            NewVersion(name=bad, upload="x")

    async def refused(models: Registry) -> None:
        upload, _ = await models.upload(once(b"1"), "a.txt", None, 0)
        made = await models.register(NewVersion(name=fresh(), upload=upload))
        for alias in ("latest", "V12", "a b", "1a", "<b>"):
            with pytest.raises((InvalidInput, Conflict)):
                await models.move_alias(made.name, alias, AliasMove(version="1"))
        with pytest.raises(InvalidInput):
            await models.change(made.name, ModelChange(tags={"perijove.archived": "x"}))
        for version in ("0", "7", "@no", "x", "1e3", "-1", "9" * 20):
            with pytest.raises(NotFound):
                await models.version(made.name, version)

    bench.run(refused)


def test_links_out_of_the_folder_are_not_followed(mlflow: Served, tmp_path: Path) -> None:
    bench = Bench(mlflow.uri, OWNER, mlflow.folder.artifacts, tmp_path / "uploads")
    (tmp_path / "secret").write_text("secret")
    run_id, root = bench.make_run()
    bench.put(f"{root}/model", {"MLmodel": "flavors: {}"})
    folder = mlflow.folder.artifacts / root / "model"
    (folder / "out.txt").symlink_to(tmp_path / "secret")
    (folder / "out").symlink_to(tmp_path)

    async def work(models: Registry) -> None:
        made = await models.register(NewVersion(name=fresh(), run_id=run_id, path="model"))
        page = await models.files.page(made.name, "1")
        assert [entry.path for entry in page.entries] == ["MLmodel"]
        for path in ("out.txt", "out/secret"):
            with pytest.raises(NotFound):
                await models.files.preview(made.name, "1", path)

    bench.run(work)


def test_an_absent_server_is_said_to_be_absent(tmp_path: Path) -> None:
    bench = Bench("http://127.0.0.1:9", None, None, tmp_path)
    with pytest.raises(TrackingUnreachable) as away:
        bench.run(lambda models: models.all())
    assert "127.0.0.1:9" in away.value.message
    assert away.value.remedy
    json.dumps(away.value.to_json())
