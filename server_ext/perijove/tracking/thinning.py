"""Histories, thinned to what a picture can show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perijove.errors import InvalidInput
from perijove.models.runs import HistoryWish
from perijove.tracking.columns import LARGEST, value

Numbers = NDArray[Any]
Columns = tuple[Numbers, Numbers, Numbers]
"""Steps, times in milliseconds and values of a metric."""


def since_counts(columns: dict[str, Columns], after: str | None) -> tuple[dict[str, Columns], str]:
    """What of each key is beyond the counts of a cursor, and the next cursor."""
    cursor = json.dumps({key: len(found[0]) for key, found in columns.items()})
    if after is None:
        return columns, cursor
    try:
        counts = {str(key): int(count) for key, count in json.loads(after).items()}
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput(f"{after[:80]!r} is no cursor.", field="after") from None
    fresh = {}
    for key, (steps, times, values) in columns.items():
        count = counts.get(key, 0)
        if len(steps) > count:
            fresh[key] = steps[count:], times[count:], values[count:]
    return fresh, cursor


def shown(columns: dict[str, Columns], wish: HistoryWish) -> Iterator[dict[str, Any]]:
    """The `Series` that a wish asks for."""
    keys = sorted(columns) if wish.keys is None else wish.keys
    for key in keys:
        if key not in columns:
            continue
        steps, times, values = columns[key]
        if wish.start is not None or wish.end is not None:
            along = times if wish.axis == "time" else steps
            inside = np.ones(len(along), dtype=bool)
            if wish.start is not None:
                inside &= along >= wish.start
            if wish.end is not None:
                inside &= along <= wish.end
            steps, times, values = steps[inside], times[inside], values[inside]
        yield series(key, steps, times, values, wish.max_points, wish.axis)


def series(
    key: str, steps: Numbers, times: Numbers, values: Numbers, points: int, axis: str
) -> dict[str, Any]:
    """A `Series` of at most about `points` points, in the order of the axis.

    Arrays of one length: int64 steps, int64 milliseconds, float64 values; NaN and infinities are
    values like others.
    """
    along = times if axis == "time" else steps
    if len(along) > 1 and bool(np.any(np.diff(along) < 0)):
        # of one step, or one time, in the order in which they were logged
        order = np.lexsort((steps, times) if axis == "time" else (times, steps))
        steps, times, values = steps[order], times[order], values[order]
    kept = thin(values, points)
    shown = values[kept]
    listed = shown.tolist()
    odd = ~(np.abs(shown) < LARGEST)
    for index in np.flatnonzero(odd):
        listed[index] = value(listed[index])
    return {
        "key": key,
        "points": len(values),
        "steps": steps[kept].tolist(),
        "times": times[kept].tolist(),
        "values": listed,
    }


def thin(values: Numbers, points: int) -> Numbers:
    """The indexes to keep, ascending: of every bucket the first, the lowest, the highest and the
    last, and the first that is no finite number."""
    count = len(values)
    if count <= points:
        return np.arange(count)
    odd = ~(np.abs(values) < LARGEST)
    buckets = max(1, points // (5 if odd.any() else 4))
    size = -(-count // buckets)
    buckets = -(-count // size)
    padding = buckets * size - count
    low = np.pad(np.where(odd, np.inf, values), (0, padding), constant_values=np.inf)
    high = np.pad(np.where(odd, -np.inf, values), (0, padding), constant_values=-np.inf)
    starts = np.arange(buckets) * size
    kept = [
        starts,
        np.minimum(starts + size, count) - 1,
        starts + low.reshape(buckets, size).argmin(axis=1),
        starts + high.reshape(buckets, size).argmax(axis=1),
    ]
    if odd.any():
        strange = np.pad(odd, (0, padding)).reshape(buckets, size)
        kept.append((starts + strange.argmax(axis=1))[strange.any(axis=1)])
    return np.unique(np.concatenate(kept))


def from_points(points: list[dict[str, Any]]) -> Columns:
    """Columns of points as MLflow's API has them."""
    return (
        np.array([int(point.get("step") or 0) for point in points], dtype=np.int64),
        np.array([int(point["timestamp"]) for point in points], dtype=np.int64),
        np.array([float(point["value"]) for point in points], dtype=np.float64),
    )
