"""Names that users give."""

from __future__ import annotations

import pytest

from perijove.models.names import check_run_name, check_view_name


@pytest.mark.parametrize("name", ["<b>x", "a/b", "a\\b", "a%2Fb", "a\u202eb", "", " a", "a" * 251])
def test_a_run_is_not_given_such_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="a run's name must"):
        check_run_name(name)


@pytest.mark.parametrize("name", ["lr=0.1, 50 %", "größer: 3", "a" * 250, "'x' & \"y\""])
def test_a_run_may_be_called(name: str) -> None:
    assert check_run_name(name) == name


def test_a_view_may_be_called_like_its_filter() -> None:
    assert check_view_name("auc > 0.9") == "auc > 0.9"
