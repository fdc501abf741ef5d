"""Environments: versions, one build for equal contents, what jobs mean by their names."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from perijove.errors import Conflict, InvalidInput, NotFound
from perijove.models.environments import (
    EnvironmentDefinition,
    EnvironmentState,
    EnvironmentSummary,
)
from perijove.models.jobs import FailureReason, JobState
from perijove.testing.environments import InMemoryBuilder, InMemoryEnvironments
from services.test_lifecycle import World, world


def definition(name: str, text: str = "six==1.16", **fields: object) -> EnvironmentDefinition:
    given = {"name": name, "source": "requirements", "text": text}
    return EnvironmentDefinition.model_validate(given | fields)


pytestmark = pytest.mark.asyncio


async def settle(w: World, summary: EnvironmentSummary, failure: str | None = None) -> None:
    """Let the build begin, and end it."""
    assert summary.digest is not None
    for _ in range(5):
        await asyncio.sleep(0)
    w.builder.finish(summary.digest, failure)
    await w.environments.wait(summary.reference, 5)


async def test_other_content_is_the_next_version_and_the_same_is_the_same(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        first = await w.environments.create(definition("geo"))
        assert (first.reference, first.state.settled) == ("geo:1", False)
        await settle(w, first)
        again = await w.environments.create(definition("geo"))
        assert (again.reference, again.state) == ("geo:1", EnvironmentState.READY)
        second = await w.environments.create(definition("geo", "six==1.17"))
        assert second.reference == "geo:2"
        catalog = w.environments.catalog
        assert catalog.resolve("geo") == catalog.resolve("geo@latest") == "geo:2"
        assert catalog.resolve("geo:1") == "geo:1"
        kernels = tmp_path / "workspaces/default/environments/kernels"
        assert sorted(path.name for path in kernels.iterdir()) == ["base.1", "geo", "geo.1"]
        await settle(w, second)
        spec = json.loads((kernels / "geo/kernel.json").read_text())
        assert spec["argv"][0] == f"/envs/{second.digest}/bin/python"
        assert [e.reference for e in catalog.get("geo").versions] == ["geo:2", "geo:1"]


async def test_equal_content_is_built_once_whatever_it_is_called(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        asked = [w.environments.create(definition(f"n{i % 4}")) for i in range(32)]
        made = await asyncio.gather(*asked)
        assert {summary.reference for summary in made} == {f"n{i}:1" for i in range(4)}
        await settle(w, made[0])
        assert len(w.builder.builds) == 1
        assert {e.state for e in w.environments.catalog.built()} == {EnvironmentState.READY}


async def test_a_name_that_is_taken_or_text_uv_refuses_leaves_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        for name in ("python3", "base"):
            with pytest.raises(Conflict, match=name):
                await w.environments.create(definition(name))
        with pytest.raises(InvalidInput):
            await w.environments.create(definition("geo", "no such package"))
        assert w.environments.catalog.built() == []


async def test_a_job_waits_for_its_environment_and_holds_no_slot(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        made = await w.environments.create(definition("geo"))
        waits, runs = await w.submit(environment="geo"), await w.submit()
        await w.launched(runs.id)
        assert (waits.state, waits.environment) == (JobState.QUEUED, "geo:1")
        assert "waits for the environment geo:1" in str(waits.message)
        await settle(w, made)
        launched = await w.launched(waits.id)
        assert launched.message is None
        spec = w.target.running[waits.id, 1]
        assert (spec.environment, spec.python) == ("geo.1", f"/envs/{made.digest}/bin/python")
        assert spec.environ["JUPYTER_PATH"].split(":")[0].endswith("/environments")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("no such thing as six", FailureReason.ENVIRONMENT_FAILED),
        ("failed to copy six: No space left on device (os error 28)", FailureReason.DISK_FULL),
        ("[Errno 122] Disk quota exceeded: 'build.log'", FailureReason.DISK_FULL),
    ],
)
async def test_a_failed_build_fails_its_jobs_and_can_be_tried_again(
    tmp_path: Path, said: str, reason: FailureReason
) -> None:
    async with world(tmp_path) as w:
        made = await w.environments.create(definition("geo"))
        job = await w.submit(environment="geo", retries=2)
        await settle(w, made, failure=said)
        ended = await w.until(job.id, JobState.FAILED)
        assert ended.reason is reason
        assert said in str(ended.message)
        late = await w.submit(environment="geo:1")
        assert (await w.until(late.id, JobState.FAILED)).attempt == 0
        again = await w.environments.create(definition("geo"))
        assert (again.reference, again.state.settled) == ("geo:1", False)
        await settle(w, again)
        await w.launched((await w.submit(environment="geo")).id)
        assert len(w.builder.builds) == 2


async def test_the_next_hub_takes_up_a_build(tmp_path: Path) -> None:
    built = InMemoryEnvironments()
    async with world(tmp_path, built=built) as w:
        await w.environments.create(definition("geo"))
        job = await w.submit(environment="geo")
    async with world(tmp_path, built=built, builder=InMemoryBuilder(tmp_path)) as w:
        found = w.environments.catalog.get("geo")
        assert not found.state.settled
        await settle(w, found)
        await w.launched(job.id)


async def test_what_a_job_uses_stays_and_a_number_is_not_given_twice(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        first = await w.environments.create(definition("geo"))
        await settle(w, first)
        job = await w.submit(environment="geo")
        await w.launched(job.id)
        with pytest.raises(Conflict, match="geo is used by 1 job that"):
            await w.environments.delete("geo")
        await w.target.finish(job.id, 1)
        await w.until(job.id, JobState.SUCCEEDED)
        other = await w.environments.create(definition("other"))
        assert (await w.environments.delete("geo")).freed_bytes == 0  # *other* has the same content
        with pytest.raises(NotFound, match="geo"):
            await w.submit(environment="geo:1")
        assert (await w.environments.delete(other.reference)).freed_bytes == 1000
        again = await w.environments.create(definition("geo", "six==1.17"))
        assert again.reference == "geo:2"
        back = await w.environments.create(definition("geo"))
        assert back.reference == "geo:1"
        await settle(w, back)
        assert len(w.builder.builds) == 3


async def test_names_that_stand_for_what_is_there_anyway(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        catalog = w.environments.catalog
        assert catalog.resolve("base") == catalog.resolve("base@latest") == "base:1"
        assert catalog.kernel("base:1") == ("base.1", None)
        assert catalog.resolve("python3") == "python3"
        assert catalog.kernel(None) == (None, None)
        assert catalog.get("base").interpreter == sys.executable
        for name, says in (
            ("geo", "base, python3"),
            ("base:2", "It has: 1"),
            ("base:one", "It has: 1"),
            ("geo:1", "base, python3"),
            ("/no/venv", "bin/python"),
        ):
            with pytest.raises(NotFound) as error:
                catalog.resolve(name)
            assert says in str(error.value)
        with pytest.raises(Conflict, match="not created"):
            await w.environments.delete("python3")
        assert catalog.resolve(sys.prefix) == sys.prefix
        name, python = catalog.kernel(sys.prefix)
        assert str(name).startswith("path.")
        assert python is None
        (tmp_path / "venv/bin").mkdir(parents=True)
        (tmp_path / "venv/bin/python").symlink_to(sys.executable)
        (tmp_path / "venv/pyvenv.cfg").write_text("home = x\n")
        with pytest.raises(InvalidInput, match="ipykernel"):
            catalog.resolve(str(tmp_path / "venv"))
        assert catalog.resolve(str(tmp_path / "venv"), kernel=False)
