"""What is refused before an engine is asked, and what is made of what it says."""

from __future__ import annotations

import pytest

from perijove.compute.instance import container
from perijove.errors import InvalidInput
from perijove.models.instances import InstanceDefinition

RETRIED = """time="2026-11-22T02:07:41Z" level=warning msg="Failed. Error: no"
Error: initializing source docker://localhost/nothing:1: connection refused
"""


@pytest.mark.parametrize("image", ["", "--privileged", "-v/:/host", "a b", "$(id)"])
def test_an_image_is_no_option(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "engine", lambda: "podman")
    with pytest.raises(InvalidInput) as found:
        container.check(InstanceDefinition(name="box", on="container", image=image))
    assert found.value.field == "image"


def test_the_last_error_is_said() -> None:
    said = container._last_error(RETRIED)
    assert said == "initializing source docker://localhost/nothing:1: connection refused"
