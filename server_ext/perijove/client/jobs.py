"""Jobs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from perijove.client import displays
from perijove.client.http import HubClient, segment
from perijove.client.listed import Listed
from perijove.client.resource import Resource
from perijove.client.runs import Run
from perijove.client.sources import locate
from perijove.errors import HubUnreachable, InvalidInput, JobFailed, WaitTimeout
from perijove.models.definitions import make_definition
from perijove.models.events import JobEvent
from perijove.models.jobs import DryRun, JobDefinition, JobFile, PruneReport
from perijove.models.jobs import Job as JobData

PIECE = 20.0
"""Seconds of one long poll."""
RECORDING = 60.0
"""Seconds that `wait` waits for MLflow after the end."""


class Job(Resource[JobData]):
    """A job. Its attributes are those of the last look; `refresh` and `wait` look again."""

    @property
    def id(self) -> str:
        return self.data.id

    @property
    def state(self) -> str:
        """Looked up now, unless the job is over."""
        if not self.data.state.terminal:
            self.refresh()
        return self.data.state.value

    @property
    def run_id(self) -> str | None:
        return self.data.run_id

    @property
    def run(self) -> Run:
        """Its MLflow run, complete if the job is over and MLflow is up.

        Raises
        ------
        InvalidInput: it has none yet.
        """
        if self.data.state.terminal and not self.data.recorded:
            self._wait(RECORDING, "recorded")
        if self.data.run_id is None:
            self.refresh()
        if self.data.run_id is None:
            raise InvalidInput(f"Job {self.id} has no MLflow run yet.", field="run_id")
        return Run(self.client, self.data.run_id)

    def refresh(self) -> Job:
        """Look again."""
        return self._take(self.client.request("GET", f"/jobs/{self.id}"))

    def wait(self, timeout: float | None = None, raise_on_failure: bool = False) -> Job:
        """Wait until it is over and recorded in MLflow (for that, a minute at most).

        Parameters
        ----------
        timeout: seconds; None: for ever.
        raise_on_failure: raise JobFailed when it did not succeed.

        Raises
        ------
        WaitTimeout: it is not over yet.
        """
        if not self._wait(timeout, "terminal"):
            raise WaitTimeout(f"Job {self.id} is {self.data.state.value} after {timeout} s.")
        self._wait(RECORDING, "recorded")
        if raise_on_failure and self.data.state.value != "succeeded":
            raise JobFailed(f"Job {self.id} {self.data.state.value}: {self.data.message}")
        return self

    def _wait(self, timeout: float | None, until: str) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = PIECE if deadline is None else min(PIECE, deadline - time.monotonic())
            query = {"timeout": max(0.0, left), "until": until}
            self._take(self.client.request("GET", f"/jobs/{self.id}/wait", params=query))
            if self.data.recorded or (until == "terminal" and self.data.state.terminal):
                return True
            if left <= 0:
                return False

    def events(self, after: int = 0, follow: bool = True) -> Iterator[JobEvent]:
        """Its events with numbers above `after`, until it is over and recorded.

        They come in order, each once, without gaps, through restarts of the hub.
        """
        while True:
            try:
                query = {"after": after, "follow": follow}
                with self.client.stream(f"/jobs/{self.id}/events", **query) as answer:
                    for line in answer.iter_lines():
                        if line:
                            event = JobEvent.model_validate(json.loads(line))
                            after = event.seq
                            yield event
            except HubUnreachable:
                if not follow:
                    raise
                time.sleep(0.2)
                continue
            self.refresh()
            if not follow or self.data.recorded or self.data.deleted:
                return

    def logs(self, follow: bool = False) -> Iterator[str] | str:
        """Its log as text; with `follow` an iterator over pieces as they come, through restarts of
        the hub, until the job is over."""
        if not follow:
            return "".join(self._log(False))
        return self._log(True)

    def _log(self, follow: bool) -> Iterator[str]:
        seen = 0
        while True:
            try:
                with self.client.stream(f"/jobs/{self.id}/log", follow=follow) as answer:
                    skip = seen  # the log is the same from its beginning whoever serves it
                    for piece in answer.iter_text():
                        fresh = piece[skip:]
                        skip = max(0, skip - len(piece))
                        seen += len(fresh)
                        if fresh:
                            yield fresh
            except HubUnreachable:
                if not follow:
                    raise
                time.sleep(0.2)
                continue
            if not follow or self.refresh().data.state.terminal:
                return

    def cancel(self) -> Job:
        """Ask for its end; `wait` returns when it is there."""
        return self._take(self.client.request("POST", f"/jobs/{self.id}/cancel"))

    def rerun(self, parameters: Mapping[str, Any] | None = None) -> Job:
        """Submit the same again, with some parameters changed."""
        body = {"id": str(uuid4()), "parameters": _plain(parameters) if parameters else None}
        found = self.client.request("POST", f"/jobs/{self.id}/rerun", content=to_json(body))
        return Job(self.client, JobData.model_validate(found))

    def delete(self) -> PruneReport:
        """Delete it and its files; its MLflow run stays."""
        return PruneReport.model_validate(self.client.request("DELETE", f"/jobs/{self.id}"))

    def files(self) -> list[JobFile]:
        """Its files, at the paths they have as MLflow artifacts too."""
        listed = self.client.request("GET", f"/jobs/{self.id}/files")
        return [JobFile.model_validate(item) for item in listed]

    def download(self, folder: str | Path) -> list[Path]:
        """Copy its files below `folder`; returns where they are."""
        copied = []
        for file in self.files():
            target = Path(folder) / file.path
            self.client.save(target, f"/jobs/{self.id}/files/{quote(file.path)}")
            copied.append(target)
        return copied

    def __repr__(self) -> str:
        return f"Job({self.id!r}, name={self.data.name!r}, state={self.data.state.value!r})"

    def _ipython_display_(self) -> None:
        from perijove.client.card import show

        show(self)


class Jobs:
    """``workspace.jobs``."""

    def __init__(self, client: HubClient) -> None:
        self._client = client

    def get(self, job_id: str) -> Job:
        """The job with this id, or with an id that starts so.

        Raises
        ------
        NotFound: there is none, or several.
        """
        found = self._client.request("GET", f"/jobs/{segment(job_id, 'job', 'id')}")
        return Job(self._client, JobData.model_validate(found))

    def list(
        self, state: str | None = None, limit: int = 100, experiment: str | None = None
    ) -> Listed[Job]:
        """Jobs, newest first."""
        query = {"state": state, "limit": limit, "experiment": experiment}
        given = {key: value for key, value in query.items() if value is not None}
        listed = self._client.request("GET", "/jobs", params=given)
        made = (Job(self._client, JobData.model_validate(item)) for item in listed)
        return Listed(made, JobData, displays.jobs)

    def submit(
        self,
        path: str | Path | JobDefinition,
        parameters: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Job:
        """Submit a notebook or script; returns as soon as the job is stored.

        Parameters
        ----------
        path: an ``.ipynb`` or ``.py`` file, or a definition whose root is set.
        parameters: JSON values, by name.
        fields: the other fields of `JobDefinition`: name, experiment, compute, environment,
            tags, timeout (seconds), retries.

        Raises
        ------
        InvalidInput: something breaks a rule; ``field`` names it.
        """
        body = _body(path, parameters, fields) | {"id": str(uuid4())}
        found = self._client.request("POST", "/jobs", content=to_json(body))
        return Job(self._client, JobData.model_validate(found))

    def dry_run(
        self,
        path: str | Path | JobDefinition,
        parameters: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> DryRun:
        """What `submit` would store, and the exact attempt that would be launched."""
        content = to_json(_body(path, parameters, fields))
        found = self._client.request("POST", "/jobs", content=content, params={"dry_run": True})
        return DryRun.model_validate(found)

    def prune(self, older_than: float, dry_run: bool = False) -> PruneReport:
        """Delete jobs that ended more than `older_than` seconds ago; their runs stay."""
        body = {"older_than_seconds": older_than, "dry_run": dry_run}
        return PruneReport.model_validate(self._client.request("POST", "/prune", json=body))


def _body(
    path: str | Path | JobDefinition,
    parameters: Mapping[str, Any] | None,
    fields: Mapping[str, Any],
) -> dict[str, Any]:
    if isinstance(path, JobDefinition):
        given = path.model_dump(mode="json", exclude_unset=True)
    else:
        root, relative = locate(path)
        given = {"root": root, "path": relative}
    given |= {key: value for key, value in fields.items() if value is not None}
    if parameters is not None:
        given["parameters"] = given.get("parameters", {}) | _plain(parameters)
    # checked here too: an error before anything is sent, and NaN cannot be sent at all
    return make_definition(given).model_dump(mode="json", exclude_unset=True)


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with numpy's numbers and arrays as Python's; others are left as they are."""
    if not isinstance(parameters, Mapping):
        raise InvalidInput(
            f"parameters must be a mapping of names to values, not {type(parameters).__name__}.",
            field="parameters",
        )
    return {
        name: value.tolist() if hasattr(value, "tolist") else value
        for name, value in parameters.items()
    }


def to_json(body: Mapping[str, Any]) -> bytes:
    """JSON in ASCII, so that whatever text there is arrives as it is."""
    return json.dumps(body).encode("ascii")
