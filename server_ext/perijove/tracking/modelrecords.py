"""What MLflow's REST API says of models, as the studio shows it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from perijove.abc.registry import Place
from perijove.models.logged import REQUEST_TAG
from perijove.models.registry import Alias, ModelVersion, RegisteredModel
from perijove.models.runs import Value

ARCHIVED = "perijove.archived"
ALIAS = "perijove.alias."
OURS = re.compile(rf"perijove\.(archived$|alias\.)|{re.escape(REQUEST_TAG)}$|mlflow\.")
MODEL_ID = re.compile(r"(?:/models/|^models:/)(m-[0-9a-f]{8,64})(?:/|$)")


def model_of(item: Mapping[str, Any], versions: int) -> RegisteredModel:
    tags = tags_of(item)
    latest = [str(version["version"]) for version in item.get("latest_versions", [])]
    aliases = [_alias(a["alias"], str(a["version"]), tags) for a in item.get("aliases", [])]
    return RegisteredModel(
        name=item["name"],
        description=item.get("description") or None,
        tags=_own(tags),
        aliases=sorted(aliases, key=lambda alias: alias.alias),
        versions=versions,
        latest_version=max(latest, key=int, default=None),
        archived=tags.get(ARCHIVED) == "true",
        created_at=_time(item.get("creation_timestamp")),
        updated_at=_time(item.get("last_updated_timestamp")),
    )


def _alias(alias: str, version: str, tags: Mapping[str, str]) -> Alias:
    """With its reason, unless somebody else has moved it since."""
    try:
        said = json.loads(tags.get(f"{ALIAS}{alias}", "{}"))
        if not isinstance(said, dict) or said.get("version") != version:
            return Alias(alias=alias, version=version)
        return Alias(
            alias=alias,
            version=version,
            reason=said.get("reason"),
            moved_by=said.get("by"),
            moved_at=said.get("at"),
        )
    except ValueError:
        return Alias(alias=alias, version=version)


def version_of(item: Mapping[str, Any]) -> ModelVersion:
    tags = tags_of(item)
    source = item.get("source") or ""
    found = MODEL_ID.search(source)
    return ModelVersion(
        name=item["name"],
        version=str(item["version"]),
        description=item.get("description") or None,
        tags=_own(tags),
        aliases=sorted(item.get("aliases", [])),
        status=item.get("status", "READY"),
        message=item.get("status_message") or None,
        archived=tags.get(ARCHIVED) == "true",
        user=item.get("user_id") or None,
        created_at=_time(item.get("creation_timestamp")),
        updated_at=_time(item.get("last_updated_timestamp")),
        run_id=item.get("run_id") or None,
        model_id=item.get("model_id") or (found[1] if found else None),
        source=source or None,
    )


def place_of(logged: Mapping[str, Any]) -> Place:
    info = logged["info"]
    return Place(
        source=info["artifact_uri"],
        run_id=info.get("source_run_id") or None,
        model_id=info["model_id"],
    )


def measured(data: Mapping[str, Any]) -> tuple[dict[str, Value], dict[str, str]]:
    metrics = {m["key"]: m.get("value", 0.0) for m in data.get("metrics", [])}
    return metrics, {p["key"]: p.get("value", "") for p in data.get("params", [])}


def tags_of(item: Mapping[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag.get("value", "") for tag in item.get("tags", [])}


def _own(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if not OURS.match(key)}


def _time(milliseconds: Any) -> datetime | None:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC) if milliseconds else None
