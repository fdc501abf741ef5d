"""The hub's client of MLflow's REST API.

MLflow's own client would import mlflow into the hub (seconds, 200 MB), is synchronous and tries
again for minutes by itself; the hub's outbox already does that, and must know what happened in
between. After any failure of *create* the run is looked up by its job before it is tried again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from perijove.abc import Tracker
from perijove.errors import InvalidInput, TrackingUnreachable
from perijove.models.jobs import MetricPoint
from perijove.models.logged import LoggedSpool, Refused
from perijove.tracking.connection import Connection

log = logging.getLogger(__name__)

PARAM_LENGTH, TAG_LENGTH, BATCH = 6000, 8000, 100
HISTORY_PAGE = 25_000
EXPERIMENTS = 1000
"""Experiments that are searched for a job's run, those used last first."""
CHUNK = 1 << 20
T = TypeVar("T")


class RestTracker(Tracker):
    """See `Tracker`."""

    def __init__(
        self,
        uri: str,
        *,
        token: str | None = None,
        assigns_run_ids: bool = False,
        artifacts: Path | None = None,
        starting: Callable[[], bool] = lambda: False,
    ) -> None:
        """`artifacts`: the folder the server keeps its artifacts in, if it is on this machine;
        `starting`: see `Connection`."""
        self._uri = uri
        self._assigns = assigns_run_ids
        self._artifacts = artifacts
        self._connection = Connection(uri, token=token, embedded=assigns_run_ids, starting=starting)
        self._locations: dict[str, str] = {}

    @property
    def tracking_uri(self) -> str:
        return self._uri

    @property
    def assigns_run_ids(self) -> bool:
        return self._assigns

    async def ready(self) -> bool:
        return await self._connection.ready()

    async def ensure_experiment(self, name: str, chosen: str | None = None) -> str:
        found = await self._experiment(name)
        if found is None:
            try:
                tags = [{"key": "perijove.experiment_id", "value": chosen}] if chosen else []
                made = await self._connection.post(
                    "experiments/create", {"name": name, "tags": tags}
                )
                return str(made["experiment_id"])
            except InvalidInput:
                # somebody else made it in between, or the name is refused
                found = await self._experiment(name)
                if found is None:
                    raise
        if found.get("lifecycle_stage") == "deleted":
            await self._connection.post(
                "experiments/restore", {"experiment_id": found["experiment_id"]}
            )
        return str(found["experiment_id"])

    async def _experiment(self, name: str) -> dict[str, Any] | None:
        try:
            found = await self._connection.get("experiments/get-by-name", {"experiment_name": name})
        except InvalidInput as error:
            if error.field == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        experiment: dict[str, Any] = found["experiment"]
        return experiment

    async def ensure_run(
        self,
        job_id: str,
        experiment_id: str,
        *,
        run_id: str | None,
        name: str,
        start_time_ms: int,
        tags: Mapping[str, str],
    ) -> str:
        if not self._assigns:
            if run_id is not None:
                return run_id  # made by an earlier try
            known = await self._runs_of(job_id, experiment_id)
            if known:
                return await self._keep_one(known)
        listed = _listed({**tags, "perijove.job_id": job_id}, TAG_LENGTH)
        if run_id is not None:
            listed.append({"key": "perijove.run_id", "value": run_id})
        made = await self._connection.post(
            "runs/create",
            {
                "experiment_id": experiment_id,
                "run_name": _clean(name),
                "start_time": start_time_ms,
                "user_id": tags.get("mlflow.user", ""),
                "tags": listed,
            },
        )
        info = made["run"]["info"]
        self._locations[info["run_id"]] = info["artifact_uri"]
        if not self._assigns:
            # an earlier request that seemed lost, or the job itself, may have made one meanwhile
            known = await self._runs_of(job_id, experiment_id)
            if len(known) > 1:
                return await self._keep_one(known)
        return str(info["run_id"])

    async def _runs_of(self, job_id: str, experiment_id: str) -> list[dict[str, Any]]:
        """The job's runs, oldest first; user code may have made one in another experiment."""
        recent = await self._connection.post(
            "experiments/search",
            {"max_results": EXPERIMENTS, "order_by": ["last_update_time DESC"]},
        )
        ids = [experiment_id, *(found["experiment_id"] for found in recent.get("experiments", []))]
        found = await self._connection.post(
            "runs/search",
            {
                "experiment_ids": list(dict.fromkeys(ids)),
                "filter": f"tags.`perijove.job_id` = '{job_id}'",
                "order_by": ["attributes.start_time ASC"],
                "run_view_type": "ACTIVE_ONLY",
                "max_results": 10,
            },
        )
        runs: list[dict[str, Any]] = found.get("runs", [])
        return runs

    async def _keep_one(self, runs: Sequence[dict[str, Any]]) -> str:
        """Keep the run that user code is writing to, else the oldest, and delete the others."""
        kept = next((run for run in runs if _made_by_job(run)), runs[0])["info"]["run_id"]
        for run in runs:
            if run["info"]["run_id"] != kept:
                await self._connection.post("runs/delete", {"run_id": run["info"]["run_id"]})
        return str(kept)

    async def log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        listed = _listed(params, PARAM_LENGTH)
        for batch in _batches(listed):
            try:
                await self._connection.post("runs/log-batch", {"run_id": run_id, "params": batch})
            except InvalidInput:
                # parameters are written once: what user code was quicker to log stays
                found = await self._connection.get("runs/get", {"run_id": run_id})
                there = {item["key"] for item in found["run"]["data"].get("params", [])}
                rest = [item for item in batch if item["key"] not in there]
                if len(rest) == len(batch):
                    raise
                if rest:
                    await self._connection.post(
                        "runs/log-batch", {"run_id": run_id, "params": rest}
                    )

    async def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        for batch in _batches(_listed(tags, TAG_LENGTH)):
            body = {"run_id": run_id, "tags": batch}
            try:
                await self._connection.post("runs/log-batch", body)
            except InvalidInput:
                # two writers of one new tag: the second is told that its request is bad
                await self._connection.post("runs/log-batch", body)

    async def send_logged(self, spool: LoggedSpool) -> None:
        loop = asyncio.get_running_loop()

        def send(path: str, body: Mapping[str, Any]) -> None:
            try:
                asyncio.run_coroutine_threadsafe(self._connection.post(path, body), loop).result()
            except InvalidInput as error:
                raise Refused(error.message) from None

        await asyncio.to_thread(spool.drain, send, log.warning)

    async def end_run(
        self, run_id: str, status: str, end_time_ms: int, *, unless_since_ms: int | None = None
    ) -> None:
        if unless_since_ms is not None:
            found = await self._connection.get("runs/get", {"run_id": run_id})
            info = found["run"]["info"]
            ended = int(info.get("end_time") or 0)
            if info.get("status") in ("FAILED", "KILLED") and ended >= unless_since_ms:
                return
        await self._connection.post(
            "runs/update", {"run_id": run_id, "status": status, "end_time": end_time_ms}
        )

    async def log_artifacts(self, run_id: str, files: Sequence[tuple[Path, str]]) -> None:
        location = urlsplit(await self._location(run_id))
        if location.scheme != "mlflow-artifacts" or location.netloc:
            await self._upload_elsewhere(run_id, files)
            return
        root = location.path.strip("/")
        for file, path in files:
            try:
                if self._artifacts is not None:
                    # a copy is a tenth of the work of a request, for both sides
                    target = self._artifacts / root / _plain(path)
                    await asyncio.to_thread(_copy, file, target)
                    continue
                try:
                    await self._upload(file, f"{root}/{path}")
                except InvalidInput:
                    await self._upload(file, f"{root}/{_plain(path)}")
            except (OSError, InvalidInput) as error:
                # it is gone, or was never readable: the other files are still wanted
                log.warning("%s is no artifact of run %s: %s", file, run_id, error)

    async def _upload(self, file: Path, path: str) -> None:
        size = file.stat().st_size
        await self._connection.send(
            "PUT",
            f"/api/2.0/mlflow-artifacts/artifacts/{quote(path)}",
            content=_chunks(file, size),
            headers={"Content-Length": str(size)},
        )

    async def _location(self, run_id: str) -> str:
        if run_id not in self._locations:
            found = await self._connection.get("runs/get", {"run_id": run_id})
            self._locations[run_id] = found["run"]["info"]["artifact_uri"]
            while len(self._locations) > 1000:
                self._locations.pop(next(iter(self._locations)))
        return self._locations[run_id]

    async def _upload_elsewhere(self, run_id: str, files: Sequence[tuple[Path, str]]) -> None:
        """Into S3 and the like, with MLflow's own artifact repositories, in a process of theirs."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "perijove.tracking.upload",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        task = {
            "uri": self._uri,
            "run_id": run_id,
            "files": [[str(file), path] for file, path in files],
        }
        _, said = await process.communicate(json.dumps(task).encode())
        if process.returncode != 0:
            last = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise TrackingUnreachable(f"The artifacts of run {run_id} were not stored: {last}")

    async def metrics(self, run_id: str) -> dict[str, list[MetricPoint]]:
        try:
            found = await self._connection.get("runs/get", {"run_id": run_id})
        except InvalidInput as error:
            if error.field == "RESOURCE_DOES_NOT_EXIST":
                return {}  # the outbox has not made it yet
            raise
        latest = found["run"]["data"].get("metrics", [])
        return {item["key"]: await self._history(run_id, item["key"]) for item in latest}

    async def _history(self, run_id: str, key: str) -> list[MetricPoint]:
        points: list[MetricPoint] = []
        page: str | None = None
        while True:
            query = {"run_id": run_id, "metric_key": key, "max_results": str(HISTORY_PAGE)}
            found = await self._connection.get(
                "metrics/get-history", query | ({"page_token": page} if page else {})
            )
            for item in found.get("metrics", []):
                points.append(
                    MetricPoint(
                        value=item["value"],
                        step=int(item.get("step", 0)),
                        timestamp=int(item["timestamp"]),
                    )
                )
            page = found.get("next_page_token")
            if not page:
                return sorted(points, key=lambda point: (point.step, point.timestamp))

    async def experiments(self) -> list[tuple[str, str]]:
        listed: list[tuple[str, str]] = []
        page = None
        while True:
            found = await self._connection.post(
                "experiments/search",
                {"max_results": 1000, "view_type": "ACTIVE_ONLY"}
                | ({"page_token": page} if page else {}),
            )
            listed += [(e["experiment_id"], e["name"]) for e in found.get("experiments", [])]
            page = found.get("next_page_token")
            if not page:
                return listed

    async def close(self) -> None:
        await self._connection.close()


def _made_by_job(run: Mapping[str, Any]) -> bool:
    tags = run["data"].get("tags", [])
    return any(tag["key"] == "perijove.made_by" and tag["value"] == "job" for tag in tags)


def _clean(text: str) -> str:
    """Without lone surrogates, which have no bytes."""
    return text.encode("utf-8", "replace").decode()


def _plain(path: str) -> str:
    """Without the characters that MLflow refuses in paths: ``a#b`` becomes ``a~23b``."""
    return re.sub(r"[#%\\:\x00-\x1f]", lambda found: f"~{ord(found[0]):02X}", path)


def _copy(file: Path, target: Path) -> None:
    """Raises OSError when `file` cannot be read, TrackingUnreachable when it cannot be kept."""
    partial = target.with_name(f".{target.name[-200:]}.part")
    with file.open("rb") as source:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as copy:
                shutil.copyfileobj(source, copy, CHUNK)
            partial.replace(target)
        except OSError as error:
            with suppress(OSError):
                partial.unlink()
            raise TrackingUnreachable(f"The artifact {target} cannot be kept: {error}") from None


def _listed(items: Mapping[str, str], length: int) -> list[dict[str, str]]:
    return [{"key": _clean(key), "value": _clean(value)[:length]} for key, value in items.items()]


def _batches(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + BATCH] for start in range(0, len(items), BATCH)]


async def _chunks(file: Path, size: int) -> AsyncIterator[bytes]:
    """The first `size` bytes: a log may grow while it is sent."""
    with file.open("rb") as stream:
        while size and (piece := await asyncio.to_thread(stream.read, min(CHUNK, size))):
            size -= len(piece)
            yield piece
