"""Where a workspace lives, and what `perijove up` and `status` say."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator

from perijove.models.jobs import JobState


class WorkspaceConfig(BaseModel, extra="forbid"):
    """``config.yaml`` in the workspace folder; every key is optional."""

    tracking_uri: str | None = Field(
        default=None, description="an existing MLflow server; None: the embedded one"
    )
    slots: int | None = Field(default=None, ge=1, le=1024, description="local slots; None: cores")
    preload: list[str] = Field(
        # scikit-learn's own parts are imported one by one, so the common ones are named
        default=[
            "numpy",
            "pandas",
            "sklearn.ensemble",
            "sklearn.datasets",
            "sklearn.model_selection",
            "sklearn.linear_model",
            "sklearn.pipeline",
            "sklearn.compose",
            "sklearn.metrics",
            "mlflow",
            "matplotlib",
        ],
        description="modules imported once, before jobs are forked",
    )
    warm_start: bool = True
    local_kernels: bool = Field(
        default=False, description="kernelspecs <environment>@local, and a drive of its files"
    )
    snapshot_bytes: int = Field(default=100 * 1024 * 1024, ge=1)
    snapshot_files: int = Field(default=10_000, ge=1)
    lease_seconds: float = Field(default=30.0, gt=0)

    @field_validator("tracking_uri")
    @classmethod
    def _is_a_server(cls, uri: str | None) -> str | None:
        if uri is not None:
            parts = urlsplit(uri)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(
                    f"must be the address of an MLflow server, http://… or https://…, not {uri!r}"
                )
        return uri


class HubInfo(BaseModel):
    """``hub.json`` (0600): how a running hub is found, and how a stale file is recognised."""

    url: str
    tracking_uri: str
    token: str
    pid: int
    start_time: float
    boot_id: str
    version: str
    home: str
    workspace: str


class HubUp(BaseModel):
    """Answer of ``perijove up``."""

    state: str = "running"
    url: str
    tracking_uri: str
    token: str
    pid: int
    home: str


class TargetSummary(BaseModel):
    """A compute target in a few figures."""

    name: str
    kind: str
    state: str
    slots: int
    running_jobs: int
    queued_jobs: int


class HubStatus(BaseModel):
    """Answer of ``perijove status`` and ``GET /api/status``; no token in it."""

    state: str = Field(description="running | stopped")
    url: str | None = None
    tracking_uri: str | None = None
    tracking_state: str | None = Field(default=None, description="starting | running | unreachable")
    pid: int | None = None
    home: str
    workspace: str
    jobs: dict[JobState, int] = Field(default_factory=dict)
    targets: list[TargetSummary] = Field(default_factory=list)
    versions: dict[str, str] = Field(default_factory=dict)
    listen: str | None = Field(
        default=None, description="where nodes of other machines reach the hub, over TLS"
    )
    recording: int = Field(default=0, description="ended jobs not yet completely in MLflow")


class WorkspaceFolder:
    """The paths of one workspace; makes nothing by itself."""

    def __init__(self, home: Path, name: str) -> None:
        self.name = name
        self.home = home
        self.root = home / "workspaces" / name
        self.hub_json = self.root / "hub.json"
        self.hub_lock = self.root / "hub.lock"
        self.hub_log = self.root / "hub.log"
        self.secrets = self.root / "secrets.json"
        self.config = self.root / "config.yaml"
        self.database = self.root / "control.db"
        self.backups = self.root / "backups"
        self.jobs = self.root / "jobs"
        self.compute = self.root / "compute"
        self.kernels = self.root / "kernels"
        self.environments = self.root / "environments"
        self.mlflow = self.root / "mlflow"
        self.artifacts = self.mlflow / "artifacts"

    def job(self, job_id: str) -> Path:
        return self.jobs / job_id

    def snapshot(self, job_id: str) -> Path:
        return self.jobs / job_id / "snapshot"

    def events(self, job_id: str) -> Path:
        return self.jobs / job_id / "events.jsonl"

    def attempt(self, job_id: str, attempt: int) -> Path:
        return self.jobs / job_id / "attempts" / str(attempt)
