"""``workspace.experiments``: MLflow's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from perijove.client import displays
from perijove.client.http import HubClient
from perijove.client.listed import Listed
from perijove.errors import NotFound
from perijove.models.experiments import Experiment as ExperimentData


class Experiment(ExperimentData):
    """An experiment as MLflow had it when it was read."""

    def _repr_html_(self) -> str:
        return displays.experiment(self.model_dump(mode="json"))


class Experiments:
    """Experiments are named or given by id; a name is looked for first."""

    def __init__(self, client: HubClient) -> None:
        self._client = client

    def list(self, view: str = "active", filter: str = "") -> Listed[Experiment]:
        """Those used last first; `view`: ``active``, ``deleted`` or ``all``; `filter` is MLflow's
        language."""
        query = {"view": view, "filter": filter}
        found = self._client.request("GET", "/experiments", params=query)
        return Listed(map(Experiment.model_validate, found), Experiment, displays.experiments)

    def get(self, experiment: str) -> Experiment:
        """One of them, deleted or not. Raises NotFound."""
        listed = self.list("all")
        for found in listed:
            if found.name == experiment:
                return found
        for found in listed:
            if found.id == experiment:
                return found
        raise NotFound(
            f"There is no experiment {experiment[:128]!r}.",
            field="experiment",
            remedy="See: perijove experiment list.",
        )

    def create(
        self, name: str, description: str | None = None, tags: Mapping[str, str] | None = None
    ) -> Experiment:
        """Make one. Raises Conflict if there is one of that name, deleted or not."""
        wish = {"id": str(uuid4()), "name": name, "description": description}
        found = self._client.request("POST", "/experiments", json=wish | {"tags": dict(tags or {})})
        return Experiment.model_validate(found)

    def rename(self, experiment: str, name: str) -> Experiment:
        """Give it another name."""
        return self._change(experiment, {"name": name})

    def set_tags(self, experiment: str, tags: Mapping[str, str | None]) -> Experiment:
        """Set tags; None removes one."""
        return self._change(experiment, {"tags": dict(tags)})

    def describe(self, experiment: str, text: str) -> Experiment:
        """Give it a description, in Markdown."""
        return self._change(experiment, {"description": text})

    def delete(self, experiment: str) -> Experiment:
        """Delete it with its runs; `restore` brings them back."""
        return self._do(experiment, "delete")

    def restore(self, experiment: str) -> Experiment:
        """Bring it back, with its runs."""
        return self._do(experiment, "restore")

    def _change(self, experiment: str, wish: dict[str, Any]) -> Experiment:
        path = f"/experiments/{self.get(experiment).id}"
        return Experiment.model_validate(self._client.request("PATCH", path, json=wish))

    def _do(self, experiment: str, verb: str) -> Experiment:
        path = f"/experiments/{self.get(experiment).id}/{verb}"
        return Experiment.model_validate(self._client.request("POST", path))
