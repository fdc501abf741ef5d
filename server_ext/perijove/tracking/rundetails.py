"""What a run's document shows beside its values, over MLflow's REST API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from perijove.errors import InvalidInput
from perijove.tracking.columns import moment
from perijove.tracking.connection import Connection

CONTEXT = "mlflow.data.context"
STATUSES = {0: "UNSPECIFIED", 1: "PENDING", 2: "READY", 3: "UPLOAD_FAILED"}


async def read_run(connection: Connection, run: Mapping[str, Any]) -> dict[str, Any]:
    """Source, datasets, logged models and registered versions: fields of `Run`."""
    models, versions = await asyncio.gather(
        _logged_models(connection, run), _versions(connection, run["info"]["run_id"])
    )
    inputs = (run.get("inputs") or {}).get("dataset_inputs", [])
    return {
        "source_info": _source(run),
        "datasets": [_dataset(item) for item in inputs],
        "logged_models": models,
        "model_versions": versions,
    }


def _source(run: Mapping[str, Any]) -> dict[str, Any]:
    tags = {t["key"]: t.get("value") for t in run.get("data", {}).get("tags", [])}
    return {
        "name": tags.get("mlflow.source.name"),
        "type": tags.get("mlflow.source.type"),
        "commit": tags.get("mlflow.source.git.commit"),
        "branch": tags.get("mlflow.source.git.branch"),
        "repository": tags.get("mlflow.source.git.repoURL"),
    }


def _dataset(item: Mapping[str, Any]) -> dict[str, Any]:
    found = item["dataset"]
    tags = {tag["key"]: tag.get("value") for tag in item.get("tags", [])}
    profile, schema = _parsed(found.get("profile")), _parsed(found.get("schema"))
    rows = profile.get("num_rows") if isinstance(profile, dict) else None
    listed = schema.get("mlflow_colspec") if isinstance(schema, dict) else None
    columns = [str(c["name"]) for c in listed or [] if isinstance(c, dict) and "name" in c]
    return {
        "name": found["name"],
        "digest": found["digest"],
        "source_type": found.get("source_type"),
        "source": found.get("source"),
        "context": tags.get(CONTEXT),
        "rows": rows if isinstance(rows, int) else None,
        "columns": columns,
    }


def _parsed(text: str | None) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(text or "null")
    return None


async def _logged_models(connection: Connection, run: Mapping[str, Any]) -> list[dict[str, Any]]:
    body = {
        "experiment_ids": [run["info"]["experiment_id"]],
        "filter": f"source_run_id = '{run['info']['run_id']}'",
        "max_results": 50,
    }
    found: dict[str, Any] = {}
    with suppress(InvalidInput):  # servers before MLflow 3 have none
        found = await connection.post("logged-models/search", body)
    models = []
    for item in found.get("models", []):
        info = item["info"]
        status = info.get("status")
        models.append(
            {
                "model_id": info["model_id"],
                "name": info.get("name") or info["model_id"],
                "status": STATUSES.get(status, str(status)).removeprefix("LOGGED_MODEL_"),
                "artifact_path": info.get("artifact_uri"),
                "model_type": info.get("model_type") or None,
                "created_at": moment(int(info.get("creation_timestamp_ms") or 0) or None),
            }
        )
    return models


async def _versions(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    found: dict[str, Any] = {}
    with suppress(InvalidInput):
        found = await connection.get(
            "model-versions/search", {"filter": f"run_id = '{run_id}'", "max_results": "200"}
        )
    return [
        {"name": v["name"], "version": str(v["version"]), "aliases": v.get("aliases", [])}
        for v in found.get("model_versions", [])
    ]
