"""Thinned histories keep what a picture shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perijove.errors import InvalidInput
from perijove.tracking.columns import chosen, moment, value
from perijove.tracking.thinning import series, since_counts, thin

VALUES = st.lists(st.floats(width=32) | st.just(float("nan")), min_size=1, max_size=300)


@given(values=VALUES, points=st.integers(4, 50))
def test_ends_peaks_and_oddities_stay(values: list[float], points: int) -> None:
    array = np.array(values)
    kept = thin(array, points)
    assert list(kept) == sorted(set(kept.tolist()))
    assert len(kept) <= max(points, 5)
    assert kept[0] == 0
    assert kept[-1] == len(values) - 1
    finite = array[np.isfinite(array)]
    shown = array[kept]
    if len(finite):
        assert finite.min() in shown
        assert finite.max() in shown
    assert np.isfinite(array).all() == np.isfinite(shown).all()


def test_a_spike_among_a_million() -> None:
    values = np.zeros(1_000_000)
    values[123_456], values[777_777] = 5.0, float("nan")
    steps = np.arange(1_000_000)
    found = series("m", steps, steps, values, 2000, "step")
    assert found["points"] == 1_000_000
    assert len(found["steps"]) <= 2000
    assert {123_456, 777_777} <= set(found["steps"])
    assert "NaN" in found["values"]


def test_cursors_by_count() -> None:
    column = np.arange(3)
    columns, cursor = since_counts({"a": (column, column, column)}, None)
    assert len(columns["a"][0]) == 3
    longer = np.arange(5)
    fresh, _ = since_counts({"a": (longer, longer, longer)}, cursor)
    assert fresh["a"][0].tolist() == [3, 4]
    for broken in ("", "[]", '{"a": "x"}', "1"):
        with pytest.raises(InvalidInput):
            since_counts({}, broken)


def test_words_of_columns_and_values() -> None:
    found = chosen(['metrics."a`b"', "params.`x y`", "tags.mlflow.user", "attributes.status"])
    assert (found.metrics, found.params, found.tags) == ({"a`b"}, {"x y"}, {"mlflow.user"})
    assert value(1.7976931348623157e308) == "Infinity"
    assert value(0.0, is_nan=True) == "NaN"
    assert moment(1_700_000_000_123) == "2023-11-14T22:13:20.123Z"
    assert moment(2**62) is None
