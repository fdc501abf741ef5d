"""What others import, locked."""

from __future__ import annotations

import perijove
from perijove.errors import PerijoveError, _walk, from_json


def test_public_names() -> None:
    assert perijove.__all__ == [
        "Conflict",
        "HubUnreachable",
        "InvalidInput",
        "Job",
        "JobDefinition",
        "JobFailed",
        "NotFound",
        "PerijoveError",
        "TrackingUnreachable",
        "WaitTimeout",
        "Workspace",
        "__version__",
        "widgets",
    ]
    for name in perijove.__all__:
        assert getattr(perijove, name) is not None


def test_errors_survive_the_wire() -> None:
    for cls in _walk(PerijoveError):
        error = cls("what", field="where", remedy="how")
        back = from_json(error.to_json())
        assert back.to_json() == error.to_json()
        assert back.status in range(400, 600)
