"""MLflow's REST store as jobs have it: see `perijove.tracking.spooled`."""

from __future__ import annotations

import json
import logging
import numbers
import os
import re
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from mlflow.entities import LoggedModelOutput, Metric, Param, Run, RunInfo, RunStatus, RunTag
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.service_pb2 import LogBatch, LogInputs, LogOutputs, UpdateRun
from mlflow.utils import validation
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME
from mlflow.utils.proto_json_utils import message_to_json
from mlflow.utils.validation import (
    MAX_ENTITIES_PER_BATCH,
    MAX_ENTITY_KEY_LENGTH,
    MAX_METRICS_PER_BATCH,
    MAX_PARAM_VAL_LENGTH,
    MAX_PARAMS_TAGS_PER_BATCH,
    MAX_TAG_VAL_LENGTH,
    path_not_unique,
    validate_param_and_metric_name,
)

from ..models.logged import (
    BYTES,
    LOG_BATCH,
    LOG_INPUTS,
    LOG_OUTPUTS,
    UPDATE,
    LoggedSpool,
    Refused,
    Request,
    metric_record,
    metric_start,
    record,
)
from .appender import Appender
from .jobruns import MetRuns, copied
from .repeated import CarefulStore

log = logging.getLogger(__name__)

INT64 = 1 << 63
NAMES = 10_000
"""Names that are remembered to be good ones."""
OURS = re.compile(r"perijove\.|" + re.escape(MLFLOW_RUN_NAME) + "$")
"""Tags that do more than being there: the server decides."""
PASSING = frozenset(
    ["TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR", "REQUEST_LIMIT_EXCEEDED", "UNAUTHENTICATED"]
)
"""Errors that are not the request's fault."""
APART = frozenset(["CreateLoggedModel", "CreateRun", "FinalizeLoggedModel", "GetExperiment"])
"""Requests with the same result whether or not MLflow has got what was logged before them."""
REQUESTS = {
    LOG_BATCH: LogBatch,
    LOG_INPUTS: LogInputs,
    LOG_OUTPUTS: LogOutputs,
    UPDATE: UpdateRun,
}


class SpoolingStore(CarefulStore):
    """See `perijove.tracking.spooled`. May be used by threads and by forked children."""

    def __init__(self, get_host_creds: Callable[[], Any], path: str) -> None:
        super().__init__(get_host_creds)
        self._path = path
        self._spool = LoggedSpool(Path(path))
        self._own = os.environ.get("PERIJOVE_RUN_ID", "")
        self._file = Appender(path)
        self._sending = threading.local()
        self._runs = MetRuns(self._own, self._file.others)
        self._names: set[str] = set()
        self._starts: dict[tuple[str, str], str] = {}
        self._models: set[tuple[str, ...]] = set()
        self._made: dict[str, str] = {}
        self._outputs: set[tuple[str, str]] = set()
        self._datasets = {(None, None)}

    # what is spooled

    def log_metric(self, run_id: str, metric: Metric) -> None:
        line = self._metric(run_id, metric)
        if line is None or not self._write(run_id, line):
            super().log_metric(run_id, metric)
            self._remember(run_id, metric)

    def log_param(self, run_id: str, param: Param) -> None:
        if not self._takes_params(run_id, [param]) or not self._write(
            run_id, self._word("p", run_id, param)
        ):
            super().log_param(run_id, param)
        self._runs.log_params(run_id, [param])

    def set_tag(self, run_id: str, tag: RunTag) -> None:
        if not self._takes_tag(tag) or not self._write(run_id, self._word("t", run_id, tag)):
            super().set_tag(run_id, tag)

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric],
        params: Sequence[Param],
        tags: Sequence[RunTag],
    ) -> None:
        if not (
            self._fits(metrics, params, tags) and self._spool_batch(run_id, metrics, params, tags)
        ):
            super().log_batch(run_id, metrics, params, tags)
            for metric in metrics:
                self._remember(run_id, metric)
        self._runs.log_params(run_id, params)

    def update_run_info(
        self, run_id: str, run_status: int | None, end_time: int | None, run_name: str | None
    ) -> RunInfo:
        known = self._runs.info(run_id)
        if known is None or run_name or run_status is None:
            found = super().update_run_info(run_id, run_status, end_time, run_name)
            self._runs.updated(found)
            return found
        status = RunStatus.to_string(run_status)
        change = {"status": status} | ({} if end_time is None else {"end_time": int(end_time)})
        if not self._file.append(record("u", run_id, change).encode()):
            return super().update_run_info(run_id, run_status, end_time, run_name)
        changed = copied(known)
        changed._status = status
        changed._end_time = end_time if end_time is not None else known.end_time
        self._runs.updated(changed)
        self._runs.wrote()
        return copied(changed)

    def resume_run(self, run_id: str, *change: Any, **named: Any) -> RunInfo:
        """`update_run_info` of a run that this thread has just asked for, to continue it; it is
        about to ask for it once more, and has only tags to set before."""
        found = self.update_run_info(run_id, *change, **named)
        self._runs.say_resumed(found)
        return found

    # what later metrics are about

    def create_logged_model(self, *args: Any, **kwargs: Any) -> Any:
        made = super().create_logged_model(*args, **kwargs)
        self._made[made.model_id] = made.artifact_location
        return made

    def log_inputs(self, run_id: str, datasets: Any = None, models: Any = None) -> None:
        if models or not datasets or not self._write(run_id, self._inputs(run_id, datasets)):
            super().log_inputs(run_id, datasets, models)
        self._datasets |= {(item.dataset.name, item.dataset.digest) for item in datasets or []}

    def log_outputs(self, run_id: str, models: list[LoggedModelOutput]) -> None:
        with self._runs.noting():
            if not self._write(run_id, self._output(run_id, models)):
                super().log_outputs(run_id, models)
        self._outputs |= {(run_id, model.model_id) for model in models}

    # what tells of runs

    def location(self, of: str) -> str | None:
        """Where the artifacts of a run or a model are, if this process was told already."""
        run = self._runs.info(of)
        return self._made.get(of) if run is None else run.artifact_uri

    def create_run(self, *args: Any, **kwargs: Any) -> Run:
        run = super().create_run(*args, **kwargs)
        self._runs.made(run)
        return run

    def get_run(self, run_id: str) -> Run:
        if (known := self._runs.answer(run_id)) is not None:
            return known
        others = self._file.others()
        run = super().get_run(run_id)
        self._runs.met(run, others)
        return self._runs.answered(run)

    def say_again(self, run_id: str) -> None:
        """See `MetRuns.say_again`."""
        self._runs.say_again(run_id)

    def saying(self, run_id: str) -> AbstractContextManager[None]:
        """See `MetRuns.saying`."""
        return self._runs.saying(run_id)

    def delete_run(self, run_id: str) -> None:
        super().delete_run(run_id)
        self._runs.forget(run_id)

    # sending

    def flush(self) -> None:
        """Send all that was logged so far, by whatever process of the attempt.

        Raises
        ------
        MlflowException: MLflow does not answer.
        """
        self._sending.now = True
        try:
            self._spool.drain(self._send, log.warning)
        finally:
            self._sending.now = False

    def _send(self, path: str, body: Request) -> None:
        try:
            super()._call_endpoint(REQUESTS[path], json.dumps(body))
        except MlflowException as error:
            if error.error_code in PASSING or error.get_http_status_code() >= 500:
                raise
            raise Refused(error.message) from None

    def _call_endpoint(self, api: Any, *args: Any, **kwargs: Any) -> Any:
        alone = getattr(self._sending, "now", False) or api.__name__ in APART
        if not alone and self._spool.pending():
            self.flush()
        self._runs.wrote()
        return super()._call_endpoint(api, *args, **kwargs)

    # what may be spooled

    def _spool_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric],
        params: Sequence[Param],
        tags: Sequence[RunTag],
    ) -> bool:
        lines: list[str | None] = [self._metric(run_id, metric) for metric in metrics]
        if None in lines:
            return False
        if params and not self._takes_params(run_id, params):
            return False
        if not all(map(self._takes_tag, tags)):
            return False
        lines += [self._word("p", run_id, param) for param in params]
        lines += [self._word("t", run_id, tag) for tag in tags]
        if None in lines:
            return False
        only_tags = not metrics and not params
        with self._runs.tagging(run_id, tags) if only_tags else nullcontext():
            return self._write(run_id, "".join(filter(None, lines)))

    def _fits(
        self, metrics: Sequence[Metric], params: Sequence[Param], tags: Sequence[RunTag]
    ) -> bool:
        entities = len(metrics) + len(params) + len(tags)
        return (
            len(metrics) <= MAX_METRICS_PER_BATCH
            and max(len(params), len(tags)) <= MAX_PARAMS_TAGS_PER_BATCH
            and entities <= MAX_ENTITIES_PER_BATCH
            and len({param.key for param in params}) == len(params)
        )

    def _write(self, run_id: str, lines: str | None) -> bool:
        """Append; False: the run is not known, or it could not be written."""
        if lines is None:
            return False
        if run_id not in self._runs and (run_id != self._own or not run_id):
            try:
                self.get_run(run_id)
            except RestException:
                return False  # the server says why
            if run_id not in self._runs:
                return False
        self._runs.wrote()
        return self._file.append(lines.encode())

    def _metric(self, run_id: str, metric: Metric) -> str | None:
        key, value, timestamp, step = metric.key, metric.value, metric.timestamp, metric.step
        if type(value) is not float:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                return None
            try:
                value = float(value)
            except OverflowError:
                return None
        if type(timestamp) is not int or type(step) is not int:
            if not (_is_whole(timestamp) and _is_whole(step)):
                return None
            timestamp, step = int(timestamp), int(step)
        if not (0 <= timestamp < INT64 and -INT64 <= step < INT64):
            return None
        start = self._starts.get((run_id, key)) or self._start(run_id, key)
        if start is None:
            return None
        if metric.model_id is None and metric.dataset_name is None:
            return metric_record(start, value, timestamp, step)
        dataset = metric.dataset_name, metric.dataset_digest
        known = metric.model_id in self._made and dataset in self._datasets
        if not known and _about(run_id, metric) not in self._models:
            return None
        about = json.dumps([metric.model_id, metric.dataset_name, metric.dataset_digest])
        return metric_record(start, value, timestamp, step, f",{about[1:-1]}")

    def _start(self, run_id: str, key: Any) -> str | None:
        if not self._is_name(key):
            return None
        if len(self._starts) > NAMES:
            self._starts.clear()
        start = self._starts[run_id, key] = metric_start(run_id, key)
        self._runs.log_metric(run_id, key)
        return start

    def _word(self, kind: str, run_id: str, item: Param | RunTag) -> str | None:
        try:
            return record(kind, run_id, item.key, item.value)
        except ValueError:  # text that has no bytes
            return None

    def _inputs(self, run_id: str, datasets: Any) -> str | None:
        try:
            validation._validate_dataset_inputs(datasets)
            protos = [item.to_proto() for item in datasets]
            line = record("i", run_id, json.loads(message_to_json(LogInputs(datasets=protos))))
        except Exception:  # the server says why
            return None
        return line if isinstance(datasets, list) and len(line) < BYTES else None

    def _output(self, run_id: str, models: list[LoggedModelOutput]) -> str | None:
        """Of one model that this process has made, for the first time."""
        if not isinstance(models, list) or len(models) != 1:
            return None
        model_id, step = models[0].model_id, models[0].step
        if model_id not in self._made or (run_id, model_id) in self._outputs:
            return None
        if not (_is_whole(step) and -INT64 <= step < INT64):
            return None
        return record("o", run_id, {"models": [{"model_id": model_id, "step": int(step)}]})

    def _takes_params(self, run_id: str, params: Sequence[Param]) -> bool:
        if self._runs.params(run_id) is None:
            try:
                self.get_run(run_id)
            except RestException:
                return False
        known = self._runs.params(run_id)
        return known is not None and all(
            isinstance(param.value, str)
            and len(param.value) <= MAX_PARAM_VAL_LENGTH
            and self._is_name(param.key)
            and known.get(param.key, param.value) == param.value
            for param in params
        )

    def _takes_tag(self, tag: RunTag) -> bool:
        return (
            isinstance(tag.value, str)
            and len(tag.value) <= MAX_TAG_VAL_LENGTH
            and self._is_name(tag.key)
            and OURS.match(tag.key) is None
        )

    def _is_name(self, name: Any) -> bool:
        if not isinstance(name, str) or not 0 < len(name) <= MAX_ENTITY_KEY_LENGTH:
            return False
        if name in self._names:
            return True
        if not validate_param_and_metric_name(name) or path_not_unique(name):
            return False
        if len(self._names) < NAMES:
            self._names.add(name)
        return True

    def _remember(self, run_id: str, metric: Metric) -> None:
        """The server has taken it."""
        self._runs.log_metric(run_id, metric.key)
        if metric.model_id is not None or metric.dataset_name is not None:
            self._models.add(_about(run_id, metric))


def _about(run_id: str, metric: Metric) -> tuple[str, ...]:
    return (
        run_id,
        metric.model_id or "",
        metric.dataset_name or "",
        metric.dataset_digest or "",
    )


def _is_whole(number: Any) -> bool:
    return isinstance(number, numbers.Integral) and not isinstance(number, bool)
