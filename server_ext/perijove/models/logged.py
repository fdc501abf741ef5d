"""What user code logs to MLflow in an attempt, on its way there.

``mlflow.spool`` in the attempt's folder is appended to by every process of the attempt, and sent
from by one at a time: by its runner while it runs, by user code itself before it reads from
MLflow, by the hub when the runner is gone. ``mlflow.sent`` says up to which byte MLflow has it,
and is locked by who sends.

A record is ``RS [kind, run id, …] LF`` (JSON text sequences, RFC 7464), so that a record whose
writing a kill cut off spoils no other::

    ["m", run, key, value, timestamp, step]        a metric
    ["m", …, model_id, dataset_name, dataset_digest]
    ["p", run, key, value]    ["t", run, key, value]    a parameter, a tag
    ["u", run, {"status", "end_time", "run_name"}]      the run's own fields
    ["i", run, {"datasets"}]  its inputs
    ["o", run, {"models": [{"model_id", "step"}]}]  its outputs

What is sent twice, because a process was killed between MLflow's answer and its note of it, is
the same as what is sent once: MLflow keeps one of equal points and inputs, and parameters and
tags come in their order.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

LOGGED, SENT = "mlflow.spool", "mlflow.sent"
SPOOL_VARIABLE, URI_VARIABLE = "PERIJOVE_SPOOL", "PERIJOVE_SPOOL_URI"
"""Where user code finds the spool, and the MLflow server it is for."""
ARTIFACTS_VARIABLE = "PERIJOVE_ARTIFACTS"
"""Where that server keeps artifacts, if it is the hub's own and on the job's machine."""
EXISTING_VARIABLE = "PERIJOVE_EXISTING_MLFLOW"
"""Set where the server is not the hub's own."""
REQUEST_HEADER, REQUEST_TAG = "Idempotency-Key", "perijove.request"
"""By which a request that is sent again is known: to the hub's own MLflow, to any other."""
LOG_BATCH, UPDATE = "runs/log-batch", "runs/update"
LOG_INPUTS, LOG_OUTPUTS = "runs/log-inputs", "runs/outputs"
ALONE = {"u": UPDATE, "i": LOG_INPUTS, "o": LOG_OUTPUTS}
"""Where records go that are requests of their own."""
PIECE = 1 << 17
"""Bytes read at once: what is sent again, at most, after a kill."""
ENTITIES, WORDS, BYTES = 1000, 100, 900_000
"""MLflow's limits of one request: entities, of them parameters or tags, and bytes."""
RS = b"\x1e"

Request = dict[str, Any]
Send = Callable[[str, Request], None]


class Refused(Exception):
    """MLflow refuses what was sent, and would again. Anything else that a `Send` raises means
    that it should be sent later."""


def record(*fields: Any) -> str:
    """One record. Raises ValueError for text that has no bytes."""
    text = json.dumps(fields, ensure_ascii=False)
    text.encode()
    return f"\x1e{text}\n"


def metric_record(start: str, value: float, timestamp: int, step: int, rest: str = "") -> str:
    """`record` of a metric, in a quarter of the time. `start` is from `metric_start`; `rest` is
    JSON that begins with a comma."""
    number = float.__repr__(value) if value - value == 0 else _word(value)
    return f"{start}{number},{timestamp},{step}{rest}]\n"


def metric_start(run_id: str, key: str) -> str:
    """What the records of one metric begin with."""
    return f'\x1e["m",{json.dumps(run_id)},{json.dumps(key)},'


def _word(value: float) -> str:
    """What Python's JSON has for a number that JSON has not."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


class LoggedSpool:
    """One attempt's spool, as whoever sends from it sees it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sent = path.with_name(SENT)

    def pending(self) -> int:
        """Bytes that MLflow has not got."""
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return 0
        try:
            return size - _number(self._sent.read_bytes())
        except FileNotFoundError:
            return size

    def drain(self, send: Send, refused: Callable[[str], None], wait: bool = True) -> bool:
        """Send all that is there now, in order; False: another process is sending.

        Without `wait` it returns at once then. `refused` is told what MLflow does not want, and
        that is left behind. What `send` raises comes through; what was not sent then is kept.
        """
        if not self.pending():
            return True
        with _locked(self._sent, wait) as sent:
            if sent is None:
                return False
            offset = _number(os.pread(sent, 32, 0))
            with self.path.open("rb") as file:
                end = os.fstat(file.fileno()).st_size
                while offset < end:
                    file.seek(offset)
                    piece = file.read(min(PIECE, end - offset))
                    if not piece.endswith(b"\n"):
                        # a long record, or one that is being written, or never will be
                        piece += file.readline()
                    if not piece.endswith(b"\n"):
                        piece = piece[: piece.rfind(RS)]
                        if not piece:
                            break
                    _send(piece, send, refused)
                    offset += len(piece)
                    os.pwrite(sent, b"%020d\n" % offset, 0)
        return True

    def remove(self) -> None:
        """Everything was sent, and nobody writes any more."""
        self.path.unlink(missing_ok=True)
        self._sent.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path, wait: bool) -> Iterator[int | None]:
    """The file, locked; None: it is locked by another, and `wait` is false."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        yield None
        return
    try:
        yield descriptor
    finally:
        # a child that was forked meanwhile has the descriptor too: closing alone would not do
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _number(text: bytes) -> int:
    return int(text) if text.strip() else 0


def records(piece: bytes) -> Iterator[list[Any]]:
    """The whole records of a piece; torn ones are left out."""
    for text in piece.split(RS):
        if text.endswith(b"\n"):
            with suppress(ValueError):
                yield json.loads(text)


def _send(piece: bytes, send: Send, refused: Callable[[str], None]) -> None:
    runs: dict[str, _Requests] = {}
    for fields in records(piece):
        if fields[1] not in runs:
            runs[fields[1]] = _Requests(fields[1])
        runs[fields[1]].add(fields)
    for requests in runs.values():
        for path, body in requests.done():
            _send_one(path, body, send, refused)


def _send_one(path: str, body: Request, send: Send, refused: Callable[[str], None]) -> None:
    try:
        send(path, body)
        return
    except Refused as error:
        pieces = list(_apart(body)) if path == LOG_BATCH else []
        if not pieces:
            if body.get("tags"):
                # two writers of one new tag: the second is told that its request is bad
                with suppress(Refused):
                    send(path, body)
                    return
            refused(f"MLflow refused {_said(body)}: {error}")
    for smaller in pieces:
        _send_one(path, smaller, send, refused)


def _apart(body: Request) -> Iterator[Request]:
    """The parts of a refused request that may be refused by themselves; none: it has no parts."""
    parts: list[Request] = []
    for kind in ("params", "metrics", "tags"):
        listed = body.get(kind, [])
        # one bad metric makes all bad, and that is the run's fault: it was deleted
        single = [[item] for item in listed] if kind != "metrics" else [listed] if listed else []
        parts += [{"run_id": body["run_id"], kind: items} for items in single]
    if len(parts) > 1:
        yield from parts


def _said(body: Request) -> str:
    for kind, name in (("params", "the parameter"), ("tags", "the tag"), ("metrics", "metrics")):
        if listed := body.get(kind):
            keys = ", ".join(dict.fromkeys(item["key"] for item in listed))[:200]
            return f"{name} {keys} of run {body['run_id']}"
    for kind in ("datasets", "models"):
        if kind in body:
            return f"the {kind} of run {body['run_id']}"
    return f"the end of run {body['run_id']}"


class _Requests:
    """What is sent of one run: as few requests as MLflow's limits let through."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._done: list[tuple[str, Request]] = []
        self._begin()

    def _begin(self) -> None:
        self._metrics: list[Request] = []
        self._params: dict[str, str] = {}
        self._tags: dict[str, str] = {}
        self._size = 0

    def add(self, fields: list[Any]) -> None:
        kind = fields[0]
        if kind in ALONE:
            self._close()
            self._done.append((ALONE[kind], {"run_id": self._run_id, **fields[2]}))
            return
        size = 200 + sum(len(json.dumps(field)) for field in fields[2:4])
        words = len(self._params) + len(self._tags)
        other = kind == "p" and self._params.get(fields[2], fields[3]) != fields[3]
        if (
            words + len(self._metrics) >= ENTITIES
            or (kind != "m" and words >= WORDS)
            or self._size + size > BYTES
            or other
        ):
            self._close()
        self._size += size
        if kind == "m":
            self._metrics.append(_metric(*fields[2:]))
        elif kind == "p":
            self._params[fields[2]] = fields[3]
        elif kind == "t":
            self._tags[fields[2]] = fields[3]

    def done(self) -> list[tuple[str, Request]]:
        self._close()
        return self._done

    def _close(self) -> None:
        body: Request = {
            "metrics": self._metrics,
            "params": [{"key": key, "value": value} for key, value in self._params.items()],
            "tags": [{"key": key, "value": value} for key, value in self._tags.items()],
        }
        found = {kind: listed for kind, listed in body.items() if listed}
        if found:
            self._done.append((LOG_BATCH, {"run_id": self._run_id, **found}))
        self._begin()


def _metric(
    key: str,
    value: float,
    timestamp: int,
    step: int,
    model_id: str | None = None,
    dataset_name: str | None = None,
    dataset_digest: str | None = None,
) -> Request:
    found: Request = {"key": key, "value": value, "timestamp": timestamp, "step": step}
    if not math.isfinite(value):
        # as MLflow's own JSON has them
        found["value"] = _word(value)
    if model_id is not None:
        found["model_id"] = model_id
    if dataset_name is not None:
        found |= {"dataset_name": dataset_name, "dataset_digest": dataset_digest}
    return found
