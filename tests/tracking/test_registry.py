"""The model registry against real MLflow servers: the hub's own, and one that anybody runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from perijove.errors import Conflict, InvalidInput, NotFound, TrackingUnreachable
from perijove.models.experiments import NewExperiment
from perijove.models.registry import AliasMove, ModelChange, NewVersion, VersionChange
from perijove.services.experiments import ExperimentService
from perijove.services.registry import Registry
from perijove.tracking.connection import Connection
from perijove.tracking.existing import RestRecords
from perijove.tracking.registry import RestRegistry
from tracking.registry import Bench, fresh, once

pytestmark = pytest.mark.integration


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


def test_an_absent_server_is_said_to_be_absent(tmp_path: Path) -> None:
    bench = Bench("http://127.0.0.1:9", None, None, tmp_path)
    with pytest.raises(TrackingUnreachable) as away:
        bench.run(lambda models: models.all())
    assert "127.0.0.1:9" in away.value.message
    assert away.value.remedy
    json.dumps(away.value.to_json())
