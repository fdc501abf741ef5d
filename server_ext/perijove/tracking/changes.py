"""Notices what is written through MLflow's stores, and tells the hub.

The methods that write are wrapped where they are, so that it does not matter by which route or
spelling a request came; what failed is not told. Many writes are one datagram: a thread sends
what gathered.
"""

from __future__ import annotations

import functools
import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from perijove.models.events import TrackingChange

GATHER = 0.05
"""Seconds in which changes become one datagram."""
IDS = 500
"""More ids than this are told as *everything*."""
RUN_WRITES = (
    "log_metric", "log_param", "set_tag", "delete_tag", "log_batch", "update_run_info",
    "delete_run", "restore_run", "log_inputs", "log_outputs", "record_logged_model",
)  # fmt: skip
MOVES = ("delete_run", "restore_run")
EXPERIMENT_WRITES = (
    "delete_experiment", "restore_experiment", "rename_experiment", "set_experiment_tag",
    "delete_experiment_tag", "create_logged_model",
)  # fmt: skip
MODEL_WRITES = (
    "create_registered_model", "update_registered_model", "rename_registered_model",
    "delete_registered_model", "set_registered_model_tag", "delete_registered_model_tag",
    "create_model_version", "update_model_version", "transition_model_version_stage",
    "delete_model_version", "set_model_version_tag", "delete_model_version_tag",
    "set_registered_model_alias", "delete_registered_model_alias",
)  # fmt: skip


class Changes:
    """Gathers changes and sends them to the hub's socket; without one it says nothing."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._runs: dict[str, None] = {}
        self._experiments: dict[str, None] = {}
        self._models: dict[str, None] = {}
        if path is not None:
            threading.Thread(target=self._send, name="changes", daemon=True).start()

    def tell(self, change: TrackingChange) -> None:
        """Something changed."""
        self._add(change.runs, change.experiments, change.models)

    def watch_tracking(self, store: Any) -> None:
        """Wrap the methods of a tracking store that write."""

        def run_written(name: str) -> Callable[[str, Any], None]:
            def told(run_id: str, _: Any) -> None:
                experiments = []
                if name in MOVES:
                    # the run leaves or enters a table that may not know it
                    with suppress(Exception):
                        experiments = [store.get_run(run_id).info.experiment_id]
                self._add([run_id], experiments, [])

            return told

        for name in RUN_WRITES:
            _wrap(store, name, "run_id", run_written(name))
        for name in EXPERIMENT_WRITES:
            _wrap(store, name, "experiment_id", lambda found, _: self._add([], [found], []))
        _wrap(
            store,
            "create_run",
            "experiment_id",
            lambda found, run: self._add([run.info.run_id], [found], []),
        )
        _wrap(store, "create_experiment", "name", lambda _, made: self._add([], [str(made)], []))

    def watch_registry(self, store: Any) -> None:
        """Wrap the methods of a registry store that write."""
        for name in MODEL_WRITES:
            _wrap(store, name, "name", lambda found, _: self._add([], [], [found]))

    def _add(self, runs: Sequence[str], experiments: Sequence[str], models: Sequence[str]) -> None:
        with self._lock:
            self._runs.update(dict.fromkeys(runs))
            self._experiments.update(dict.fromkeys(experiments))
            self._models.update(dict.fromkeys(models))
        self._some.set()

    def _send(self) -> None:
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        while True:
            self._some.wait()
            time.sleep(GATHER)
            self._some.clear()
            with self._lock:
                runs, experiments, models = self._runs, self._experiments, self._models
                self._runs, self._experiments, self._models = {}, {}, {}
            many = len(runs) + len(experiments) + len(models) > IDS
            change = (
                TrackingChange(everything=True)
                if many
                else TrackingChange(
                    runs=list(runs), experiments=list(experiments), models=list(models)
                )
            )
            message = json.dumps({"tracking": change.model_dump(mode="json")})
            with suppress(OSError):  # the hub is away; the next one reads everything anyway
                sender.sendto(message.encode(), str(self._path))


def _wrap(store: Any, name: str, argument: str, told: Callable[[str, Any], None]) -> None:
    method = getattr(store, name, None)
    if method is None:  # another MLflow may not have it
        return

    @functools.wraps(method)
    def wrapped(*given: Any, **named: Any) -> Any:
        answer = method(*given, **named)
        told(str(given[0] if given else named.get(argument, "")), answer)
        return answer

    setattr(store, name, wrapped)
