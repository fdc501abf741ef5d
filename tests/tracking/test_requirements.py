"""What packages say of themselves is asked once, until something is installed."""

from __future__ import annotations

import site
from collections.abc import Iterator
from pathlib import Path

import pytest


def test_answers_are_good_until_something_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from perijove.tracking.requirements import remembered

    monkeypatch.setattr(site, "getsitepackages", lambda: [str(tmp_path)])
    asked = []

    def requires(package: str) -> Iterator[str]:
        asked.append(package)
        yield from ("numpy", "scipy")

    requires.__name__ = tmp_path.name
    ask = remembered(requires)
    assert [list(ask(name)) for name in ("sklearn", "sklearn", "mlflow")] == [
        ["numpy", "scipy"]
    ] * 3
    assert asked == ["sklearn", "mlflow"]
    (tmp_path / "new-1.0.dist-info").mkdir()
    ask("sklearn")
    assert asked == ["sklearn", "mlflow", "sklearn"]


def test_zygotes_ask_ahead() -> None:
    from narwhals import plugins

    import perijove.tracking.known  # noqa: F401
    from perijove.tracking.requirements import _answers

    _, versions = _answers["_get_installed_version"]
    assert {("scikit-learn", "sklearn"), ("numpy", None)} <= versions.keys()
    assert list(_answers["_discover_entrypoints"][1].values()) == [plugins._discover_entrypoints()]
