"""Registered models."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perijove.client import displays
from perijove.client.http import HubClient
from perijove.client.listed import Listed
from perijove.client.resource import Resource
from perijove.errors import InvalidInput, NotFound
from perijove.models.problems import validated
from perijove.models.registry import (
    NAME_LENGTH,
    AliasMove,
    ModelChange,
    ModelFacts,
    ModelVersion,
    NewVersion,
    RegisteredModel,
    Use,
    VersionChange,
)
from perijove.models.runs import ArtifactPage, Lineage

if TYPE_CHECKING:
    import builtins

PIECE = 8 << 20
"""Bytes of a file sent at once."""


class Version(Resource[ModelVersion]):
    """A version of a registered model, as it was at the last look."""

    @property
    def uri(self) -> str:
        """``models:/name/version``, for ``mlflow.<flavor>.load_model``."""
        return f"models:/{self.data.name}/{self.data.version}"

    def _repr_html_(self) -> str:
        return displays.versions([self.data.model_dump(mode="json")])

    def refresh(self) -> Version:
        """Look again."""
        return self._take(self._get(""))

    def facts(self) -> ModelFacts:
        """Signature, input example, flavours, requirements and warnings; nothing is loaded."""
        return ModelFacts.model_validate(self._get("/facts"))

    def lineage(self) -> Lineage:
        """Where it came from."""
        return Lineage.model_validate(self._get("/lineage"))

    def files(self, path: str = "") -> list[str]:
        """Paths of files and folders (these end in a slash) in one of its folders."""
        page = ArtifactPage.model_validate(self._get("/files", path=path))
        return [entry.path + "/" * entry.is_dir for entry in page.entries]

    def download(self, to: str | Path) -> Path:
        """Copy its files into a folder, which is made; the folder."""
        target = Path(to).expanduser()
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target) as packed:
            with self.client.stream("/model/version/download", **self._who()) as answer:
                for piece in answer.iter_bytes():
                    packed.write(piece)
            with zipfile.ZipFile(packed) as archive:
                archive.extractall(target)  # leaves out what would lead out of the folder
        return target

    def describe(self, text: str) -> Version:
        """Set the description (Markdown)."""
        return self._change(description=text)

    def tag(self, **tags: str | None) -> Version:
        """Set tags; None removes one."""
        return self._change(tags=tags)

    def archive(self, archived: bool = True) -> Version:
        """Hide it, or with False show it again."""
        return self._change(archived=archived)

    def uses(self) -> builtins.list[Use]:
        """What uses it."""
        found = self.client.request("GET", "/model/uses", params=self._who())
        return [Use.model_validate(use) for use in found]

    def delete(self, force: bool = False) -> None:
        """Delete it for good; with `force` also if something uses it."""
        query = self._who() | {"force": force}
        self.client.request("POST", "/model/version/delete", params=query)

    def _change(self, **fields: Any) -> Version:
        body = validated(VersionChange, fields).model_dump(exclude_unset=True)
        found = self.client.request("PATCH", "/model/version", params=self._who(), json=body)
        return self._take(found)

    def _get(self, part: str, **query: str) -> Any:
        query = self._who() | query
        return self.client.request("GET", f"/model/version{part}", params=query)

    def _who(self) -> dict[str, Any]:
        return {"name": self.data.name, "version": self.data.version}

    def __repr__(self) -> str:
        return f"Version({self.uri!r}, aliases={self.data.aliases})"


class Model(Resource[RegisteredModel]):
    """A registered model, as it was at the last look."""

    @property
    def name(self) -> str:
        return self.data.name

    @property
    def aliases(self) -> dict[str, str]:
        """Version by alias."""
        return {alias.alias: alias.version for alias in self.data.aliases}

    @property
    def versions(self) -> Listed[Version]:
        """Its versions now, newest first."""
        found = self.client.request("GET", "/model/versions", params={"name": self.name})
        made = (Version(self.client, ModelVersion.model_validate(item)) for item in found)
        return Listed(made, ModelVersion, displays.versions)

    def version(self, version: str | int) -> Version:
        """A version by its number, or as ``@alias``."""
        query = {"name": self.name, "version": str(version)}
        found = self.client.request("GET", "/model/version", params=query)
        return Version(self.client, ModelVersion.model_validate(found))

    def refresh(self) -> Model:
        """Look again."""
        return self._take(self.client.request("GET", "/model", params={"name": self.name}))

    def alias(
        self,
        alias: str,
        version: str | int,
        *,
        reason: str | None = None,
        expected: str | int | None = None,
    ) -> Model:
        """Point an alias at a version.

        Parameters
        ----------
        reason: kept with the alias, for whoever asks later.
        expected: the version it must point at until now.

        Raises
        ------
        Conflict: it points elsewhere than expected.
        """
        wish = {"version": str(version), "reason": reason, "force": expected is None}
        if expected is not None:
            wish["expected"] = str(expected)
        body = validated(AliasMove, wish).model_dump()
        query = {"name": self.name, "alias": alias}
        return self._take(self.client.request("PUT", "/model/alias", params=query, json=body))

    def remove_alias(self, alias: str) -> Model:
        """Remove an alias."""
        query = {"name": self.name, "alias": alias}
        return self._take(self.client.request("DELETE", "/model/alias", params=query))

    def rename(self, name: str) -> Model:
        """Give it another name."""
        return self._change(name=name)

    def describe(self, text: str) -> Model:
        """Set the description (Markdown)."""
        return self._change(description=text)

    def tag(self, **tags: str | None) -> Model:
        """Set tags; None removes one."""
        return self._change(tags=tags)

    def archive(self, archived: bool = True) -> Model:
        """Hide it, or with False show it again."""
        return self._change(archived=archived)

    def uses(self) -> builtins.list[Use]:
        """What uses it."""
        found = self.client.request("GET", "/model/uses", params={"name": self.name})
        return [Use.model_validate(use) for use in found]

    def delete(self, force: bool = False) -> None:
        """Delete it and all versions for good; with `force` also if something uses it."""
        query = {"name": self.name, "force": force}
        self.client.request("POST", "/model/delete", params=query)

    def _change(self, **fields: Any) -> Model:
        body = validated(ModelChange, fields).model_dump(exclude_unset=True)
        query = {"name": self.name}
        return self._take(self.client.request("PATCH", "/model", params=query, json=body))

    def __repr__(self) -> str:
        return f"Model({self.name!r}, versions={self.data.versions}, aliases={self.aliases})"

    def _repr_html_(self) -> str:
        return displays.models([self.data.model_dump(mode="json")])


class Models:
    """``workspace.models``: MLflow's model registry."""

    def __init__(self, client: HubClient) -> None:
        self._client = client

    def list(self, filter: str = "", archived: bool = False) -> Listed[Model]:
        """The registered models, those changed last first; `filter` is MLflow's language."""
        query = {"filter": filter, "archived": archived}
        found = self._client.request("GET", "/models", params=query)
        made = (Model(self._client, RegisteredModel.model_validate(item)) for item in found)
        return Listed(made, RegisteredModel, displays.models)

    def get(self, name: str) -> Model:
        """A registered model."""
        if not 0 < len(name) <= NAME_LENGTH or name in (".", ".."):  # nothing can be called so
            raise NotFound(
                f"There is no model {name[:128]!r}.",
                field="name",
                remedy="See: perijove model list.",
            )
        found = self._client.request("GET", "/model", params={"name": name})
        return Model(self._client, RegisteredModel.model_validate(found))

    def register(
        self,
        name: str,
        *,
        run: Any = None,
        path: str = "model",
        model: str | None = None,
        files: str | Path | builtins.list[str | Path] | None = None,
        flavor: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        alias: str | None = None,
    ) -> Version:
        """Register a version; the model is made if there is none of that name.

        Parameters
        ----------
        run: a run or its id; `path` is what it has logged: a folder, a file or a model's name.
        model: the id of a logged model (``m-…``).
        files: a file, a folder, or several, of any framework.
        flavor: of files without an MLmodel: sklearn, onnx, lightgbm, xgboost or catboost; None
            registers them as they are.
        alias: points at it from now on.
        """
        wish: dict[str, Any] = {"name": name, "tags": dict(tags or {})}
        wish |= {"description": description, "alias": alias, "flavor": flavor, "model_id": model}
        if run is not None:
            wish |= {"run_id": getattr(run, "run_id", run), "path": path}
        validated(NewVersion, wish)  # before anything is sent
        if files is not None:
            wish["upload"] = self._send(_listed(files))
        body = validated(NewVersion, wish).model_dump(mode="json")
        found = self._client.request("POST", "/model/versions", json=body)
        return Version(self._client, ModelVersion.model_validate(found))

    def _send(self, files: builtins.list[tuple[Path, str]]) -> str:
        upload: str | None = None
        for file, path in files:
            with file.open("rb") as stream:
                offset = 0
                while (piece := stream.read(PIECE)) or offset == 0:
                    query = {"path": path, "offset": offset}
                    query |= {} if upload is None else {"upload": upload}
                    made = self._client.request(
                        "POST",
                        "/model/uploads",
                        params=query,
                        content=piece,
                        headers={"Content-Type": "application/octet-stream"},
                    )
                    upload = made["upload"]
                    offset += len(piece)
                    if len(piece) < PIECE:
                        break
        assert upload is not None
        return upload


def _listed(files: str | Path | list[str | Path]) -> list[tuple[Path, str]]:
    """(file, path in the model) pairs; a folder alone is the model's root."""
    given = [files] if isinstance(files, (str, Path)) else list(files)
    found: list[tuple[Path, str]] = []
    for item in given:
        if item == "":  # the current folder would not be meant
            raise InvalidInput("A file to register has an empty name.", field="files")
        top = Path(item).expanduser()
        if top.is_dir():
            root = top if len(given) == 1 else top.parent
            inside = (file for file in sorted(top.rglob("*")) if file.is_file())
            found += [(file, file.relative_to(root).as_posix()) for file in inside]
        elif top.is_file():
            found.append((top, top.name))
        else:
            raise InvalidInput(f"There is no file {str(top)!r}.", field="files")
    if not found:
        raise InvalidInput("There are no files to register.", field="files")
    return found
