"""Tells the hub of metrics as soon as they are stored, by datagrams.

A datagram costs microseconds, never blocks and may be lost: MLflow has the metric, only the live
view of the job misses it.
"""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Iterable, Iterator
from typing import Any

from mlflow.entities import Metric

from perijove.models.tokens import AttemptToken

DATAGRAM = 50_000
"""Bytes of points in one datagram; the hub reads up to 64 KiB."""
POINT = 100
"""Bytes of a point beside its key, at most."""


class Announcer:
    """Sends to the hub's socket; without one it says nothing."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        # what the hub has not read yet counts here; the system cuts this to its limit
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)

    def metrics(self, attempt: AttemptToken, run_id: str, metrics: Iterable[Metric]) -> None:
        """The attempt logged these to that run."""
        if self._path is None:
            return
        about = {"run_id": run_id, "job_id": attempt.job_id, "attempt": attempt.attempt}
        for points in _pieces(map(_point, metrics)):
            try:
                self._socket.sendto(json.dumps(about | {"metrics": points}).encode(), self._path)
            except OSError:
                return


def _point(metric: Metric) -> dict[str, Any]:
    value = float(metric.value)
    if not math.isfinite(value):
        # as MLflow's own JSON has them
        written = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return _with(metric, written)
    return _with(metric, value)


def _with(metric: Metric, value: float | str) -> dict[str, Any]:
    return {
        "key": metric.key,
        "value": value,
        "step": int(metric.step or 0),
        "timestamp": int(metric.timestamp or 0),
    }


def _pieces(points: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    piece: list[dict[str, Any]] = []
    size = 0
    for point in points:
        length = len(json.dumps(point["key"])) + POINT
        if piece and size + length > DATAGRAM:
            yield piece
            piece, size = [], 0
        piece.append(point)
        size += length
    if piece:
        yield piece
