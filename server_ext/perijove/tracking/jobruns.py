"""The runs that a process of a job has met: what it knows of them without asking MLflow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from mlflow.entities import LifecycleStage, Metric, Param, Run, RunData, RunInfo, RunTag


class MetRuns:
    """May be used by threads.

    own: the id of the job's run, which nobody but processes of the job logs to.
    others: how much other processes of the job have logged, to whatever run, as a number.
    """

    def __init__(self, own: str, others: Callable[[], int]) -> None:
        self._own, self._others = own, others
        self._infos: dict[str, RunInfo] = {}
        self._params: dict[str, dict[str, str]] = {}
        self._metrics: dict[str, dict[str, None]] = {}
        self._since: dict[str, int] = {}
        self._said = threading.local()

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._infos

    def info(self, run_id: str) -> RunInfo | None:
        """What it was when it was met, or updated from here."""
        return self._infos.get(run_id)

    def params(self, run_id: str) -> dict[str, str] | None:
        """Those it had then, and those that were logged from here."""
        return self._params.get(run_id)

    def made(self, run: Run) -> None:
        """Nobody else knows it yet."""
        self._since[run.info.run_id] = 0
        self.met(run, self._others())

    def met(self, run: Run, since: int) -> None:
        """`since` is what `others` said before MLflow was asked."""
        run_id = run.info.run_id
        if run.info.lifecycle_stage != LifecycleStage.ACTIVE:
            self.forget(run_id)
            return
        self._infos[run_id] = copied(run.info)
        self._params[run_id] = dict(run.data.params)
        self._metrics.setdefault(run_id, {}).update(dict.fromkeys(run.data.metrics))
        if run_id == self._own or run_id in self._since:
            self._since[run_id] = since

    def updated(self, info: RunInfo) -> None:
        self._infos[info.run_id] = info

    def forget(self, run_id: str) -> None:
        for kept in (self._infos, self._params, self._metrics, self._since):
            kept.pop(run_id, None)

    def log_params(self, run_id: str, params: Iterable[Param]) -> None:
        if run_id in self._params:
            self._params[run_id].update({param.key: param.value for param in params})

    def log_metric(self, run_id: str, key: str) -> None:
        """A metric of this name was logged, or may have been."""
        if run_id in self._metrics:
            self._metrics[run_id][key] = None

    # answers instead of MLflow's

    def answered(self, run: Run) -> Run:
        """What this thread has just been told of a run."""
        self._said.last = run
        return run

    def answer(self, run_id: str) -> Run | None:
        """What this thread is to be told of the run, instead of asking; only once."""
        found = self._next()
        if found is None or found.info.run_id != run_id:
            return None
        self._said.next = None
        return self.answered(found)

    def wrote(self) -> None:
        """This thread has logged something, or asks for something: now only MLflow can tell."""
        self._said.next = None

    @contextmanager
    def noting(self) -> Iterator[None]:
        """This thread does what does not change what it is to be told."""
        kept = self._next()
        yield
        self._said.next = kept

    @contextmanager
    def tagging(self, run_id: str, tags: Iterable[RunTag]) -> Iterator[None]:
        """This thread sets these tags, and nothing else: what it is to be told has them."""
        kept = self._next()
        yield
        if kept is not None and kept.info.run_id == run_id:
            said = kept.data.tags | {tag.key: tag.value for tag in tags}
            data = RunData(
                metrics=kept.data._metric_objs,
                params=[Param(*item) for item in kept.data.params.items()],
                tags=[RunTag(*item) for item in said.items()],
            )
            self._said.next = Run(kept.info, data, kept.inputs, kept.outputs)

    def say_again(self, run_id: str) -> None:
        """This thread is about to ask for the run once more, and nothing else before but to note
        its outputs: it gets the answer it had."""
        last: Run | None = getattr(self._said, "last", None)
        self._said.next = last if last is not None and last.info.run_id == run_id else None

    def say_resumed(self, info: RunInfo) -> None:
        """This thread has asked for the run and updated it, to continue it, and is about to ask
        for it once more, and nothing else before but to set tags."""
        self.say_again(info.run_id)
        last = self._next()
        if last is not None:
            self._said.next = Run(copied(info), last.data, last.inputs, last.outputs)

    @contextmanager
    def saying(self, run_id: str) -> Iterator[None]:
        """If this thread asks for the run now, before anything else, it is told what is known: its
        parameters, and its metrics by their names alone. Only of a run that nobody but this
        process has logged to."""
        self._said.next = self._known(run_id)
        try:
            yield
        finally:
            self._said.next = None

    def _next(self) -> Run | None:
        return getattr(self._said, "next", None)

    def _known(self, run_id: str) -> Run | None:
        info, since = self._infos.get(run_id), self._since.get(run_id)
        if info is None or since is None or since != self._others():
            return None
        metrics = [Metric(name, 0.0, 0, 0) for name in list(self._metrics[run_id])]
        params = [Param(*item) for item in self._params[run_id].items()]
        return Run(copied(info), RunData(metrics=metrics, params=params))


def copied(info: RunInfo) -> RunInfo:
    return RunInfo(
        run_id=info.run_id,
        experiment_id=info.experiment_id,
        user_id=info.user_id,
        status=info.status,
        start_time=info.start_time,
        end_time=info.end_time,
        lifecycle_stage=info.lifecycle_stage,
        artifact_uri=info.artifact_uri,
        run_name=info.run_name,
    )
