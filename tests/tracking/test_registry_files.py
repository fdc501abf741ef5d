"""Files of model versions: where they come from, and what is shown of them, read as text only."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from perijove.errors import Conflict, InvalidInput, NotFound
from perijove.models.registry import NewVersion
from perijove.services.registry import Registry
from tracking.conftest import OWNER, Served
from tracking.registry import FILES, Bench, fresh, once

pytestmark = pytest.mark.integration


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


def test_a_version_without_files_says_so(bench: Bench) -> None:
    name, (run_id, _) = fresh(), bench.make_run()
    bench.call("POST", "registered-models/create", json={"name": name})
    source = {"name": name, "run_id": run_id, "source": f"runs:/{run_id}/nothing"}
    bench.call("POST", "model-versions/create", json=source)

    async def work(models: Registry) -> None:
        facts = await models.files.facts(name, "1")
        assert (facts.flavors, facts.files) == ({}, 0)
        assert [warning.split(". ")[0] for warning in facts.warnings] == ["It has no files"]
        with pytest.raises(NotFound):
            await models.files.facts(name, "2")

    bench.run(work)


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
