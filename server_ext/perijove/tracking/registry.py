"""The model registry over MLflow's REST API, embedded or existing."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from perijove.abc.registry import ModelRegistry, Place
from perijove.errors import Conflict, InvalidInput, NotFound
from perijove.models.logged import REQUEST_TAG
from perijove.models.registry import ModelVersion, RegisteredModel
from perijove.models.runs import Artifact, Lineage, LineageNode
from perijove.tracking.api import Api
from perijove.tracking.modelfiles import ModelFiles
from perijove.tracking.modelrecords import (
    MODEL_ID,
    measured,
    model_of,
    place_of,
    tags_of,
    version_of,
)

PAGE, VERSIONS_PAGE = 1000, 10_000
RUNS = 100
"""Runs asked for at once, by their ids."""
LOGGED = 50
"""Logged models without a run that are asked for what was measured of them."""
OF_RUN = re.compile(r"runs:/+([\w-]{1,64})((?:/.*)?)", re.ASCII)
"""What clients may register as they know it; MLflow leaves it to those who read it."""
UPLOADS = "Uploaded models"
"""The experiment of models from outside."""


class RestRegistry(ModelRegistry):
    """See `ModelRegistry`."""

    def __init__(self, api: Api, folder: Path | None = None) -> None:
        """`folder`: where the server keeps its artifacts, if that is on this machine."""
        self._api = api
        self._files = ModelFiles(api, folder)

    async def models(self, filter: str = "") -> list[RegisteredModel]:
        listed: list[dict[str, Any]] = []
        query: dict[str, Any] = {"max_results": PAGE, "order_by": "last_updated_timestamp DESC"}
        if filter:
            query["filter"] = filter
        try:
            found, counts = await asyncio.gather(
                self._api.get("registered-models/search", query), self._counts()
            )
        except InvalidInput as error:
            raise InvalidInput(error.message, field="filter") from None
        listed += found.get("registered_models", [])
        while page := found.get("next_page_token"):
            found = await self._api.get("registered-models/search", query | {"page_token": page})
            listed += found.get("registered_models", [])
        return [model_of(item, counts.get(item["name"], 0)) for item in listed]

    async def _counts(self) -> Mapping[str, int]:
        """How many versions each model has."""
        if self._api.embedded:
            return (await self._api.get("/perijove/versions"))["counts"]  # type: ignore[no-any-return]
        return Counter(item["name"] for item in await self._found(""))

    async def _found(self, filter: str) -> list[dict[str, Any]]:
        query: dict[str, Any] = {"max_results": VERSIONS_PAGE}
        if filter:
            query["filter"] = filter
        listed: list[dict[str, Any]] = []
        page: str | None = None
        while True:
            more = {"page_token": page} if page else {}
            found = await self._api.get("model-versions/search", query | more)
            listed += found.get("model_versions", [])
            page = found.get("next_page_token")
            if not page:
                return listed

    async def model(self, name: str) -> RegisteredModel:
        found, versions = await asyncio.gather(self._registered(name), self._found(_named(name)))
        return model_of(found["registered_model"], len(versions))

    async def versions(self, name: str) -> list[ModelVersion]:
        found, listed = await asyncio.gather(self._registered(name), self._found(_named(name)))
        aliases: dict[str, list[str]] = {}
        for item in found["registered_model"].get("aliases", []):
            aliases.setdefault(str(item["version"]), []).append(item["alias"])
        made = [version_of(item | {"aliases": aliases.get(item["version"], [])}) for item in listed]
        await self._measure(made)
        return sorted(made, key=lambda version: -int(version.version))

    async def version(self, name: str, version: str) -> ModelVersion:
        if version.startswith("@"):
            try:
                found = await self._api.get(
                    "registered-models/alias", {"name": name, "alias": version[1:]}
                )
            except InvalidInput:
                raise NotFound(f"{name!r} has no alias {version[1:]!r}.", field="version") from None
        elif not (version.isascii() and version.isdigit()) or len(version) > 9:
            raise NotFound(
                f"{version[:40]!r} is no version: these are numbers, or @alias.", field="version"
            )
        else:
            found = await self._numbered(name, version)
        made = version_of(found["model_version"])
        await self._measure([made])
        return made

    async def _measure(self, versions: Sequence[ModelVersion]) -> None:
        """Add what the runs, or the logged models, have measured."""
        ids = list(dict.fromkeys(v.run_id for v in versions if v.run_id))
        runs = {run["info"]["run_id"]: run for run in await self._runs(ids)}
        without = [v.model_id for v in versions if v.model_id and not v.run_id][:LOGGED]
        logged = dict(zip(without, await asyncio.gather(*map(self._logged, without)), strict=True))
        for version in versions:
            if (run := runs.get(version.run_id or "")) is not None:
                version.run_name = run["info"].get("run_name")
                version.experiment_id = run["info"].get("experiment_id")
                version.metrics, version.params = measured(run["data"])
            elif (found := logged.get(version.model_id or "")) is not None:
                version.experiment_id = found["info"].get("experiment_id")
                version.metrics, version.params = measured(found.get("data", {}))

    async def _runs(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        if len(ids) < 3:
            found = await asyncio.gather(*map(self._run_or_none, ids))
            return [run for run in found if run is not None]
        searched = await self._api.post("experiments/search", {"max_results": PAGE})
        experiments = [item["experiment_id"] for item in searched.get("experiments", [])]
        listed: list[dict[str, Any]] = []
        for start in range(0, len(ids), RUNS):
            quoted = ", ".join(f"'{run_id}'" for run_id in ids[start : start + RUNS])
            answer = await self._api.post(
                "runs/search",
                {
                    "experiment_ids": experiments,
                    "filter": f"attributes.run_id IN ({quoted})",
                    "max_results": RUNS,
                },
            )
            listed += answer.get("runs", [])
        return listed

    async def _run_or_none(self, run_id: str) -> dict[str, Any] | None:
        try:
            run: dict[str, Any] = (await self._api.get("runs/get", {"run_id": run_id}))["run"]
        except NotFound:
            return None
        return run

    async def _logged(self, model_id: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = (await self._api.get(f"logged-models/{model_id}"))["model"]
        except (NotFound, InvalidInput):
            return None
        return found

    async def lineage(self, version: ModelVersion) -> Lineage:
        ref = {"name": version.name, "version": version.version}
        me = LineageNode(
            id="version", kind="version", label=f"{version.name} v{version.version}", ref=ref
        )
        nodes, edges = [me], []
        run = None if version.run_id is None else await self._run_or_none(version.run_id)
        upstream = me.id
        if version.model_id is not None:
            logged = await self._logged(version.model_id)
            label = version.model_id if logged is None else logged["info"].get("name", "")
            nodes.append(
                LineageNode(
                    id="model",
                    kind="model",
                    label=label or version.model_id,
                    detail=None if run is not None else "from outside",
                    ref={"model_id": version.model_id},
                )
            )
            edges.append(("model", me.id))
            upstream = "model"
        if run is None:
            return Lineage(nodes=nodes, edges=edges)
        info, tags = run["info"], tags_of(run["data"])
        run_ref = {"run_id": info["run_id"], "experiment_id": info.get("experiment_id", "")}
        label = info.get("run_name") or info["run_id"]
        nodes.append(LineageNode(id="run", kind="run", label=label, ref=run_ref))
        edges.append(("run", upstream))
        if source := tags.get("mlflow.source.name"):
            detail = tags.get("mlflow.source.git.commit", "")[:8] or None
            nodes.append(
                LineageNode(id="source", kind="notebook", label=_last(source), detail=detail)
            )
            edges.append(("source", "run"))
        for index, item in enumerate(run.get("inputs", {}).get("dataset_inputs", [])[:20]):
            dataset = item["dataset"]
            nodes.append(
                LineageNode(
                    id=f"dataset-{index}",
                    kind="dataset",
                    label=dataset.get("name", ""),
                    detail=dataset.get("digest"),
                )
            )
            edges.append((f"dataset-{index}", "run"))
        return Lineage(nodes=nodes, edges=edges)

    # writing

    async def create(self, name: str) -> bool:
        try:
            await self._api.post("registered-models/create", {"name": name})
        except Conflict:
            return False
        return True

    async def create_version(
        self, name: str, place: Place, description: str | None, tags: Mapping[str, str]
    ) -> ModelVersion:
        body: dict[str, Any] = {
            "name": name,
            "source": place.source,
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        }
        optional = {"run_id": place.run_id, "model_id": place.model_id, "description": description}
        body |= {key: value for key, value in optional.items() if value}
        made = await self._api.post("model-versions/create", body)
        return version_of(made["model_version"])

    async def registered(self, name: str, request: str) -> ModelVersion | None:
        found = await self._found(f"{_named(name)} and tags.`{REQUEST_TAG}` = '{request}'")
        return version_of(found[0]) if found else None

    async def change(
        self,
        name: str,
        version: str | None,
        description: str | None = None,
        tags: Mapping[str, str | None] | None = None,
    ) -> None:
        noun = "registered-models" if version is None else "model-versions"
        who = {"name": name} if version is None else {"name": name, "version": version}
        if description is not None:
            body = who | {"description": description}
            await self._api.send("PATCH", f"{noun}/update", json=body)
        for key, value in (tags or {}).items():
            if value is None:
                try:
                    await self._api.send("DELETE", f"{noun}/delete-tag", json=who | {"key": key})
                except NotFound:
                    await self._there(name, version)  # a tag that is not there is removed
            else:
                body = who | {"key": key, "value": value}
                await self._api.post(f"{noun}/set-tag", body)

    async def _registered(self, name: str) -> dict[str, Any]:
        # MLflow calls these invalid, where it is asked for one
        if "/" in name or ":" in name or not name.strip():
            raise _no_model(name)
        try:
            found: dict[str, Any] = await self._api.get("registered-models/get", {"name": name})
        except NotFound:
            raise _no_model(name) from None
        return found

    async def _numbered(self, name: str, version: str) -> dict[str, Any]:
        query = {"name": name, "version": version}
        try:
            found: dict[str, Any] = await self._api.get("model-versions/get", query)
        except NotFound:
            await self._registered(name)
            raise NotFound(
                f"The model {name!r} has no version {version}.",
                field="version",
                remedy=f"See: perijove model show {name}.",
            ) from None
        return found

    async def _there(self, name: str, version: str | None) -> None:
        if version is None:
            await self._registered(name)
        else:
            await self._numbered(name, version)

    async def rename(self, name: str, new: str) -> None:
        await self._api.post("registered-models/rename", {"name": name, "new_name": new})

    async def set_alias(self, name: str, alias: str, version: str) -> None:
        body = {"name": name, "alias": alias, "version": version}
        await self._api.post("registered-models/alias", body)

    async def delete_alias(self, name: str, alias: str) -> None:
        await self._api.send(
            "DELETE", "registered-models/alias", json={"name": name, "alias": alias}
        )

    async def delete(self, name: str, version: str | None) -> None:
        if version is None:
            await self._api.send("DELETE", "registered-models/delete", json={"name": name})
        else:
            body = {"name": name, "version": version}
            await self._api.send("DELETE", "model-versions/delete", json=body)

    # files

    async def place_of_run(self, run_id: str, path: str) -> Place:
        run = (await self._api.get("runs/get", {"run_id": run_id}))["run"]
        location = f"{run['info']['artifact_uri'].rstrip('/')}/{path}".rstrip("/")
        parent, _, name = path.rpartition("/")
        try:
            there = await self._files.entries(run["info"]["artifact_uri"], parent)
        except NotFound:
            there = []
        if path == "" or any(entry.path.rpartition("/")[2] == name for entry in there):
            return Place(location, run_id=run_id)
        # what `log_model(name=…)` has logged stands beside the run's own artifacts
        outputs = run.get("outputs", {}).get("model_outputs", [])
        for logged in await asyncio.gather(*(self._logged(o["model_id"]) for o in outputs[:100])):
            if logged is not None and logged["info"].get("name") == path:
                return place_of(logged)
        raise NotFound(f"Run {run_id} has logged nothing as {path[:200]!r}.", field="path")

    async def place_of_model(self, model_id: str) -> Place:
        found = await self._logged(model_id) if MODEL_ID.search(f"models:/{model_id}") else None
        if found is None:
            raise NotFound(f"There is no logged model {model_id[:80]!r}.", field="model_id")
        return place_of(found)

    async def store(self, name: str, files: Sequence[tuple[Path, str]]) -> Place:
        made = await self._api.post(
            "logged-models",
            {
                "experiment_id": await self._uploads(),
                "name": _plain(name),
                "model_type": "uploaded",
            },
        )
        model_id = made["model"]["info"]["model_id"]
        done = "LOGGED_MODEL_UPLOAD_FAILED"
        try:
            for file, path in files:
                await self._files.write(made["model"]["info"]["artifact_uri"], file, path)
            done = "LOGGED_MODEL_READY"
        finally:
            body = {"model_id": model_id, "status": done}
            await self._api.send("PATCH", f"logged-models/{model_id}", json=body)
        return place_of(made["model"])

    async def _uploads(self) -> str:
        query = {"experiment_name": UPLOADS}
        try:
            found = (await self._api.get("experiments/get-by-name", query))["experiment"]
        except NotFound:
            try:
                made = await self._api.post("experiments/create", {"name": UPLOADS})
                return str(made["experiment_id"])
            except Conflict:
                found = (await self._api.get("experiments/get-by-name", query))["experiment"]
        if found.get("lifecycle_stage") == "deleted":
            await self._api.post("experiments/restore", {"experiment_id": found["experiment_id"]})
        return str(found["experiment_id"])

    async def location(self, version: ModelVersion) -> str:
        query = {"name": version.name, "version": version.version}
        found = await self._api.get("model-versions/get-download-uri", query)
        place = str(found["artifact_uri"])
        if of_run := OF_RUN.fullmatch(place):
            return (await self.place_of_run(of_run[1], of_run[2].strip("/"))).source
        return place

    async def entries(self, location: str, path: str = "") -> list[Artifact]:
        return await self._files.entries(location, path)

    def open(self, location: str, path: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        return self._files.open(location, path)


def _named(name: str) -> str:
    """MLflow's filter for a name; it knows no escapes, so the other quote is taken."""
    quote = "'" if "'" not in name else '"'
    return f"name = {quote}{name}{quote}"


def _no_model(name: str) -> NotFound:
    return NotFound(
        f"There is no model {name[:128]!r}.", field="name", remedy="See: perijove model list."
    )


def _plain(name: str) -> str:
    """As a logged model may be called."""
    return re.sub(r"[/:.%\"']", "_", name)


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2] or path
