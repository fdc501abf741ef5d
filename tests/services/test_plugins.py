"""A kind of target that another package brings: found, created, used, deleted; clashes refused."""

from __future__ import annotations

import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from conftest import MakeNotebook, perijove
from perijove.compute.kinds import MAKERS
from perijove.errors import InvalidInput
from perijove.plugins import COMPUTE, with_plugins

PLUGIN = textwrap.dedent(
    '''
    """Runs attempts on this machine, under another name."""
    import asyncio

    from perijove.abc import ManagedTarget
    from perijove.compute.local import LocalTarget
    from perijove.errors import InvalidInput
    from perijove.models.compute import ClusterState


    class Fake(LocalTarget, ManagedTarget):
        kind = "fake"

        def __init__(self, definition, workshop):
            super().__init__(1, workshop.lease, None)
            self.name, self._colour = definition.name, definition.colour

        @property
        def nodes_now(self):
            return ClusterState()

        async def power(self, on):
            if on and self._colour == "slow":
                await asyncio.sleep(1000)

        async def define(self, definition): ...
        async def destroy(self, abandon=False): ...

        def log_text(self):
            return "all is well"

        def properties(self):
            return {"colour": self._colour}


    class Maker:
        kind = "fake"

        async def check(self, definition):
            if not hasattr(definition, "colour"):
                raise InvalidInput("A fake needs a colour.", field="colour")

        def make(self, definition, workshop, on):
            return Fake(definition, workshop)
    '''
)


@pytest.fixture
def _plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with the plug-in, as pip would have installed it."""
    site = tmp_path / "site"
    metadata = site / "fake_target-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "fake_target.py").write_text(PLUGIN)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-target\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{COMPUTE}]\nfake = fake_target:Maker\n")
    before = [path for path in (*sys.path,) if path]
    monkeypatch.setenv("PYTHONPATH", ":".join([str(site), *before]))


@pytest.mark.integration
@pytest.mark.usefixtures("_plugin")
def test_a_plugins_target_is_one_like_others(
    home: Path, notebook: MakeNotebook, tmp_path: Path
) -> None:
    definition = tmp_path / "fake.yaml"
    definition.write_text("name: painted\nkind: fake\n")
    refused = perijove("compute", "create", "-f", str(definition), "--json", home=home)
    assert refused.returncode == 2
    assert '"field": "colour"' in refused.stdout
    definition.write_text("name: painted\nkind: fake\ncolour: red\n")
    made = perijove("compute", "create", "-f", str(definition), "--json", home=home)
    assert made.returncode == 0, made.stdout + made.stderr
    assert '"colour": "red"' in made.stdout
    job = perijove(
        *("job", "submit", str(notebook("1 + 1")), "--compute", "painted", "--wait"), home=home
    )
    assert job.returncode == 0, job.stderr
    assert "all is well" in perijove("compute", "logs", "painted", home=home).stdout
    # the next hub makes it again
    assert perijove("down", home=home).returncode == 0
    assert "painted" in perijove("compute", "list", home=home).stdout
    assert perijove("compute", "delete", "painted", home=home).returncode == 0
    assert "painted" not in perijove("compute", "list", home=home).stdout


@pytest.mark.integration
@pytest.mark.usefixtures("_plugin")
def test_what_comes_up_slowly_can_be_called_off(home: Path, tmp_path: Path) -> None:
    definition = tmp_path / "fake.yaml"
    definition.write_text("name: painted\nkind: fake\ncolour: slow\n")
    assert perijove("up", home=home).returncode == 0
    with ThreadPoolExecutor() as pool:
        making = pool.submit(perijove, "compute", "create", "-f", str(definition), home=home)
        while "creating" not in perijove("compute", "list", home=home).stdout:
            assert not making.done(), making.result().stderr
        refused = perijove("compute", "stop", "painted", home=home)
        assert "its create is not over" in refused.stderr
        assert perijove("compute", "delete", "PAINTED", home=home).returncode == 0
        assert making.result().returncode == 2
        assert "before it was up" in making.result().stderr
    assert "painted" not in perijove("compute", "list", home=home).stdout


def test_a_plugin_that_takes_a_name_that_is_taken_is_refused() -> None:
    twice = EntryPoint("cluster", "perijove.compute.kinds:Clusters", COMPUTE)
    with pytest.raises(InvalidInput, match="two plug-ins called 'cluster'"):
        with_plugins(COMPUTE, MAKERS, [twice])
    broken = EntryPoint("broken", "no_such_module:Maker", COMPUTE)
    with pytest.raises(InvalidInput, match="'broken'"):
        with_plugins(COMPUTE, MAKERS, [broken])
