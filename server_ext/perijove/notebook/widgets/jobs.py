"""Jobs as widgets."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import traitlets as t

from perijove.client import displays
from perijove.client.card import render
from perijove.client.http import HubClient
from perijove.client.jobs import Job
from perijove.client.workspace import Workspace
from perijove.models.jobs import Job as JobData
from perijove.notebook.widgets.base import PerijoveWidget

POINTS = 200
"""Points of a metric that a card draws."""
SHOWN = 50


class JobCard(PerijoveWidget):
    """A job: its state, its progress, its metrics; it can be canceled and run again.

    Parameters
    ----------
    job: a job, or its id.
    """

    view = t.Unicode("JobCard").tag(sync=True)
    job_id = t.Unicode().tag(sync=True)
    state = t.Unicode().tag(sync=True)
    """As of the last look; observe it to hear of the end."""
    questions = ("job_id",)

    def __init__(self, job: Job | str, workspace: Workspace | None = None, **traits: Any) -> None:
        super().__init__(workspace, job_id=job if isinstance(job, str) else job.id, **traits)

    def fetch(self, client: HubClient) -> dict[str, Any]:
        job = client.request("GET", f"/jobs/{quote(self.job_id, safe='')}")
        metrics = client.request("GET", f"/jobs/{job['id']}/metrics")
        self.state = job["state"]
        return {"job": job, "metrics": {key: _thinned(all_) for key, all_ in metrics.items()}}

    def concerns(self, kind: str, data: Any) -> bool:
        job = self.data.get("job", {})
        if kind == "jobs":
            return any(each["id"] == job.get("id") for each in data)
        if kind == "tracking":
            return bool(data["everything"] or job.get("run_id") in data["runs"])
        return super().concerns(kind, data)

    def act(self, verb: str, content: dict[str, Any]) -> None:
        jobs = self._workspace.jobs
        if verb == "cancel":
            jobs.get(self.job_id).cancel()
        elif verb == "rerun":
            self.job_id = jobs.get(self.job_id).rerun().id

    def html(self) -> str:
        last = {key: points[-1]["value"] for key, points in self.data["metrics"].items() if points}
        return render(JobData.model_validate(self.data["job"]), last)


class JobTable(PerijoveWidget):
    """The newest jobs.

    Parameters
    ----------
    state: only jobs in this state.
    experiment: only jobs of this experiment.
    """

    view = t.Unicode("JobTable").tag(sync=True)
    state = t.Unicode("").tag(sync=True)
    experiment = t.Unicode("").tag(sync=True)
    limit = t.Int(SHOWN).tag(sync=True)
    selected = t.List(t.Unicode()).tag(sync=True)
    """Ids of the selected jobs; at most one is selected by a click."""
    questions = ("state", "experiment", "limit")

    def fetch(self, client: HubClient) -> dict[str, Any]:
        query = {"state": self.state, "experiment": self.experiment, "limit": self.limit}
        given = {key: value for key, value in query.items() if value}
        return {"jobs": client.request("GET", "/jobs", params=given)}

    def concerns(self, kind: str, data: Any) -> bool:
        return kind in ("jobs", "everything")

    def act(self, verb: str, content: dict[str, Any]) -> None:
        job = self._workspace.jobs.get(str(content["id"]))
        if verb == "cancel":
            job.cancel()
        elif verb == "rerun":
            job.rerun()

    def html(self) -> str:
        empty = f"No {self.state} jobs." if self.state else "No jobs yet."
        return displays.jobs(self.data["jobs"], empty)


def _thinned(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(points) <= POINTS:
        return points
    # the last one is the value of now
    return [*points[:: -(-len(points) // POINTS)], points[-1]]
