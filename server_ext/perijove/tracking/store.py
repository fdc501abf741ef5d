"""The embedded server's tracking store: MLflow's own, with ids the hub may choose.

The hub chooses a job's run id at submission and hands it to the runner, long before MLflow is
up; the run is created under that id later, once, however often that is tried. The same goes for
the experiments of jobs that are submitted before MLflow's first start is over.
"""

from __future__ import annotations

import itertools
import logging
import re
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

import sqlalchemy
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, PERMISSION_DENIED
from mlflow.store.tracking import sqlalchemy_store
from mlflow.store.tracking.dbmodels.models import (
    SqlExperiment,
    SqlLoggedModel,
    SqlMetric,
    SqlRun,
    SqlTag,
)
from mlflow.utils.validation import _validate_metric

from perijove.tracking.announce import Announcer
from perijove.tracking.guard import caller
from perijove.tracking.once import Requests

log = logging.getLogger(__name__)

RUN_ID_TAG = "perijove.run_id"
JOB_ID_TAG = "perijove.job_id"
EXPERIMENT_ID_TAG = "perijove.experiment_id"
ANALYZE_EVERY = 500
"""Runs after which SQLite counts again. It never does by itself, and then searching 10,000 runs
by a metric takes a plan that is quadratic in their number."""

_chosen: ContextVar[str | None] = ContextVar("chosen run id", default=None)


class _Point(NamedTuple):
    """A row of MLflow's table of metrics."""

    run_uuid: str
    key: str
    value: float
    timestamp: int
    step: int
    is_nan: bool


class _Uuid:
    """The uuid module as MLflow's store sees it: one id can be chosen beforehand."""

    def __getattr__(self, name: str) -> Any:
        return getattr(uuid, name)

    @staticmethod
    def uuid4() -> uuid.UUID:
        chosen = _chosen.get()
        _chosen.set(None)
        return uuid.uuid4() if chosen is None else uuid.UUID(hex=chosen)


sqlalchemy_store.uuid = _Uuid()
_chosen_experiment: ContextVar[int | None] = ContextVar("chosen experiment id", default=None)


@sqlalchemy.event.listens_for(SqlExperiment, "before_insert")
def _choose_experiment_id(_: Any, __: Any, experiment: SqlExperiment) -> None:
    if (chosen := _chosen_experiment.get()) is not None:
        experiment.experiment_id = chosen


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
def _configure(connection: Any, _: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=20000"):
            connection.execute(f"PRAGMA {pragma}")


class JobTrackingStore(sqlalchemy_store.SqlAlchemyStore):
    """See the module's docstring. What an attempt's token may not say is refused here."""

    def __init__(self, db_uri: str, artifact_root: str, announcer: Announcer) -> None:
        super().__init__(db_uri, artifact_root)
        self._announcer = announcer
        self._made = itertools.count(1)
        self._creating = threading.Lock()
        self._requests = Requests(self.engine)
        self._analyze()

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: Any = None
    ) -> str:
        if artifact_location and not artifact_location.startswith("mlflow-artifacts:"):
            raise MlflowException(
                "artifact_location must be left out or start with mlflow-artifacts: "
                "this server keeps artifacts in its own folder only.",
                PERMISSION_DENIED,
            )
        _check_tags(tags)
        given = {tag.key: tag.value for tag in tags or []}.get(EXPERIMENT_ID_TAG)
        kept = [tag for tag in tags or [] if tag.key != EXPERIMENT_ID_TAG]
        mark = _chosen_experiment.set(int(given) if given and given.isdigit() else None)
        create = super().create_experiment
        try:
            return self._requests.once(
                SqlExperiment, lambda: str(create(name, artifact_location, kept)), str
            )
        finally:
            _chosen_experiment.reset(mark)

    def create_run(
        self,
        experiment_id: str,
        user_id: str,
        start_time: int,
        tags: list[RunTag],
        run_name: str | None,
    ) -> Run:
        _check_tags(tags)
        given = {tag.key: tag.value for tag in tags or []}
        run_id = given.get(RUN_ID_TAG)
        if next(self._made) % ANALYZE_EVERY == 0:
            self._analyze()
        create = super().create_run
        if run_id is None:
            return self._requests.once(
                SqlRun,
                lambda: create(experiment_id, user_id, start_time, tags, run_name),
                self.get_run,
            )
        if not re.fullmatch("[0-9a-f]{32}", run_id):
            raise MlflowException(
                f"The tag {RUN_ID_TAG} must be 32 hexadecimal digits.", INVALID_PARAMETER_VALUE
            )
        with self._creating:
            if (known := self._known(run_id, given.get(JOB_ID_TAG))) is not None:
                return self.get_run(known)
            tags = [tag for tag in tags if tag.key != RUN_ID_TAG]
            _chosen.set(run_id)
            try:
                return create(experiment_id, user_id, start_time, tags, run_name)
            finally:
                _chosen.set(None)

    def create_logged_model(self, experiment_id: str, *args: Any, **named: Any) -> Any:
        create = super().create_logged_model
        return self._requests.once(
            SqlLoggedModel,
            lambda: create(experiment_id, *args, **named),
            self.get_logged_model,
        )

    def set_tag(self, run_id: str, tag: RunTag) -> None:
        _check_tags([tag])
        super().set_tag(run_id, tag)

    def log_metric(self, run_id: str, metric: Metric) -> None:
        super().log_metric(run_id, metric)
        self._announce(run_id, [metric])

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric],
        params: Sequence[Param],
        tags: Sequence[RunTag],
    ) -> None:
        _check_tags(tags)
        super().log_batch(run_id, metrics, params, tags)
        self._announce(run_id, metrics)

    def _log_metrics_once(self, run_id: str, metrics: Sequence[Metric]) -> None:
        """MLflow's own, but on SQLite with one statement for all points, which is several times
        quicker; points that are there already are left out, as MLflow does it."""
        if self.db_type != "sqlite":
            super()._log_metrics_once(run_id, metrics)
            return
        points = []
        for number, metric in enumerate(metrics):
            path = "" if len(metrics) == 1 else f"metrics[{number}]"
            _validate_metric(metric.key, metric.value, metric.timestamp, metric.step, path=path)
            is_nan, value = self.sanitize_metric_value(metric.value)
            points.append(_Point(run_id, metric.key, value, metric.timestamp, metric.step, is_nan))
        with self.ManagedSessionMaker(read_only=False) as session:
            self._check_run_is_active(self._get_run(run_uuid=run_id, session=session))
            if points:
                insert = SqlMetric.__table__.insert().prefix_with("OR IGNORE")
                session.execute(insert, [point._asdict() for point in points])
                self._update_latest_metrics_if_necessary(points, session)

    def has_run(self, run_id: str) -> bool:
        """Is there a run of this id?"""
        return self._known(run_id, None) is not None

    def _announce(self, run_id: str, metrics: Sequence[Metric]) -> None:
        attempt = caller.get()
        if attempt is not None and attempt.run_id == run_id and metrics:
            self._announcer.metrics(attempt, run_id, metrics)

    def _known(self, run_id: str, job_id: str | None) -> str | None:
        """The run that has this id, or is the job's already."""
        with self.ManagedSessionMaker() as session:
            found = session.query(SqlRun.run_uuid).filter(SqlRun.run_uuid == run_id).first()
            if found is None and job_id is not None:
                query = session.query(SqlTag.run_uuid)
                found = query.filter(SqlTag.key == JOB_ID_TAG, SqlTag.value == job_id).first()
            return None if found is None else str(found[0])

    def _analyze(self) -> None:
        if self.db_type == "sqlite":
            threading.Thread(target=self._count, name="analyze", daemon=True).start()

    def _count(self) -> None:
        try:
            with self.engine.begin() as connection:
                connection.execute(sqlalchemy.text("PRAGMA analysis_limit=1000"))
                connection.execute(sqlalchemy.text("ANALYZE"))
        except sqlalchemy.exc.SQLAlchemyError:
            log.warning("ANALYZE failed; it is tried again later", exc_info=True)


def _check_tags(tags: Iterable[Any] | None) -> None:
    """Refuse the tags by which ids are chosen, and other jobs' names, to attempts."""
    attempt = caller.get()
    if attempt is None:
        return
    for tag in tags or []:
        if tag.key in (RUN_ID_TAG, EXPERIMENT_ID_TAG):
            raise MlflowException(f"The tag {tag.key} is the hub's to set.", PERMISSION_DENIED)
        if tag.key == JOB_ID_TAG and tag.value != attempt.job_id:
            raise MlflowException(
                f"The tag {JOB_ID_TAG} names the job a run belongs to, and this run belongs to "
                f"job {attempt.job_id}.",
                PERMISSION_DENIED,
            )
