"""A job's MLflow run, read from MLflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from perijove.errors import TrackingUnreachable

if TYPE_CHECKING:
    from perijove.client.jobs import Job

API = "/api/2.0/mlflow"


class Run:
    """The run as MLflow has it when an attribute is read for the first time; see `refresh`."""

    def __init__(self, job: Job, run_id: str) -> None:
        self._job = job
        self.run_id = run_id
        self._run: dict[str, Any] | None = None

    def refresh(self) -> Run:
        """Read it again."""
        self._run = self._get("runs/get", run_id=self.run_id)["run"]
        return self

    @property
    def info(self) -> dict[str, Any]:
        """MLflow's run info: status, start_time, experiment_id, artifact_uri …"""
        info: dict[str, Any] = self._data()["info"]
        return info

    @property
    def metrics(self) -> dict[str, float]:
        """The latest value of each metric."""
        return {m["key"]: float(m["value"]) for m in self._data()["data"].get("metrics", [])}

    @property
    def params(self) -> dict[str, str]:
        """The parameters, as MLflow keeps them: text."""
        return {p["key"]: p["value"] for p in self._data()["data"].get("params", [])}

    @property
    def tags(self) -> dict[str, str]:
        """The tags."""
        return {t["key"]: t["value"] for t in self._data()["data"].get("tags", [])}

    def metric_history(self, key: str) -> list[dict[str, Any]]:
        """``{value, step, timestamp}`` of every point, in step order; times in milliseconds."""
        found = self._job.client.request("GET", f"/jobs/{self._job.id}/metrics")
        history: list[dict[str, Any]] = found.get(key, [])
        return history

    def artifacts(self, path: str = "") -> list[str]:
        """Paths of files and folders (these end in a slash) in one folder of the run."""
        found = self._get("artifacts/list", run_id=self.run_id, **({"path": path} if path else {}))
        return [f["path"] + "/" * bool(f.get("is_dir")) for f in found.get("files", [])]

    def _data(self) -> dict[str, Any]:
        if self._run is None:
            self.refresh()
        assert self._run is not None
        return self._run

    def _get(self, route: str, **query: str) -> dict[str, Any]:
        info = self._job.client.info
        try:
            answer = httpx.get(
                f"{info.tracking_uri}{API}/{route}",
                params=query,
                headers={"Authorization": f"Bearer {info.token}"},
                timeout=60,
                trust_env=False,
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise TrackingUnreachable(
                f"MLflow at {info.tracking_uri} gave no run {self.run_id}: {error}"
            ) from None
        found: dict[str, Any] = answer.json()
        return found

    def __repr__(self) -> str:
        return f"Run({self.run_id!r}, metrics={self.metrics})"
