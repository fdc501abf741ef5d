"""The verbs on registered models, their versions and aliases."""

from __future__ import annotations

import asyncio
import io
import json
import re
import zipfile
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from perijove.abc import JobStore, TaskRunner
from perijove.abc.artifacts import OpenFile
from perijove.abc.registry import ModelRegistry, Place
from perijove.errors import Conflict, InvalidInput, NotFound
from perijove.models.names import check_relative_path
from perijove.models.registry import (
    AliasMove,
    ModelChange,
    ModelFacts,
    ModelVersion,
    NewVersion,
    RegisteredModel,
    Use,
    VersionChange,
)
from perijove.models.runs import Artifact, ArtifactPage, ArtifactPreview, Lineage
from perijove.services.modelfacts import (
    EXAMPLE_BYTES,
    MLMODEL_BYTES,
    REQUIREMENTS_BYTES,
    example_path,
    facts_of,
    read_example,
    read_mlmodel,
    read_requirements,
)
from perijove.services.previews import how, parquet, preview
from perijove.services.uploads import Uploads

WALKED = 20_000
"""Files of a version that are counted, and that a download may have."""
ALIAS = "perijove.alias."
ARCHIVED = "perijove.archived"
RESERVED = re.compile(r"latest|v\d+", re.I)
TAG_KEY = re.compile(r"[\w.\- /:]{1,250}")
FINAL = "MLflow deletes versions for good; archiving hides it and can be undone."


@dataclass
class Registry:
    """All verbs raise what `ModelRegistry` raises, too.

    Writes to one model wait for each other, so that an alias moves from where its mover saw it,
    and many registrations at once are versions one after the other.
    """

    models: ModelRegistry
    jobs: JobStore
    uploads: Uploads
    tasks: TaskRunner
    user: str
    _locks: defaultdict[str, asyncio.Lock] = field(
        default_factory=lambda: defaultdict(asyncio.Lock)
    )

    # reading

    async def all(self, filter: str = "", archived: bool = False) -> list[RegisteredModel]:
        """The registered models, those changed last first."""
        return [m for m in await self.models.models(filter) if archived or not m.archived]

    async def get(self, name: str) -> RegisteredModel:
        """A registered model."""
        return await self.models.model(name)

    async def versions(self, name: str) -> list[ModelVersion]:
        """Its versions, newest first."""
        return await self.models.versions(name)

    async def version(self, name: str, version: str) -> ModelVersion:
        """A version, by number or ``@alias``."""
        return await self.models.version(name, version)

    async def lineage(self, name: str, version: str) -> Lineage:
        """Where it came from."""
        return await self.models.lineage(await self.models.version(name, version))

    async def uses(self, name: str, version: str | None = None) -> list[Use]:
        """What uses a model, or one of its versions: aliases, and jobs that are not over."""
        model = await self.models.model(name)
        aliases = [a for a in model.aliases if version is None or a.version == version]
        found = [
            Use(
                kind="alias",
                label=f"{a.alias} → version {a.version}",
                ref={"alias": a.alias, "version": a.version},
            )
            for a in aliases
        ]
        ends = r"(?![^/@\"\\])" if version is None else ""
        wanted = [f"models:/{re.escape(name)}{ends}"]
        if version is not None:
            names = [f"@{re.escape(a.alias)}" for a in aliases] + [f"/{re.escape(version)}"]
            wanted = [f"models:/{re.escape(name)}{end}(?![\\w.-])" for end in names]
        pattern = re.compile("|".join(wanted))
        for job in self.jobs.active():
            if pattern.search(json.dumps(job.parameters, ensure_ascii=False)):
                found.append(Use(kind="job", label=job.name, ref={"job_id": job.id}))
        return found

    async def facts(self, name: str, version: str) -> ModelFacts:
        """Its signature, input example, flavours and requirements, read as text."""
        location = await self._location(name, version)
        files = await self._walk(location)
        paths = {file.path for file in files}
        if "MLmodel" not in paths:
            found = facts_of({}, files)
            found.warnings.append(
                "It has no MLmodel, so MLflow cannot load it; its files can be downloaded."
            )
            return found
        data = await self._head(location, "MLmodel", MLMODEL_BYTES + 1)
        mlmodel, problems = await asyncio.to_thread(read_mlmodel, data)
        found = await asyncio.to_thread(facts_of, mlmodel, files)
        found.warnings = problems + found.warnings
        if (example := example_path(mlmodel)) in paths and example is not None:
            text = await self._head(location, example, EXAMPLE_BYTES + 1)
            if len(text) > EXAMPLE_BYTES:
                found.warnings.append(f"The input example is too large to show: {example}.")
            else:
                found.input_example = await asyncio.to_thread(read_example, text)
        if "requirements.txt" in paths:
            text = await self._head(location, "requirements.txt", REQUIREMENTS_BYTES)
            found.requirements = read_requirements(text)
        return found

    async def files(self, name: str, version: str, path: str = "") -> ArtifactPage:
        """One folder of its files."""
        path = _checked_path(path)
        entries = await self.models.entries(await self._location(name, version), path)
        return ArtifactPage(path=path, entries=entries)

    async def preview(self, name: str, version: str, path: str) -> ArtifactPreview:
        """What can be shown of a file."""
        location = await self._location(name, version)
        entry = await self._entry(location, path)
        kind, wanted = how(entry.path)
        if kind == "parquet":
            pieces = self._pieces(location, entry.path)
            return await parquet(self.tasks, entry.path, entry.size or 0, pieces)
        head = await self._head(location, entry.path, wanted)
        return await asyncio.to_thread(preview, entry.path, entry.size or 0, head)

    async def file(self, name: str, version: str, path: str) -> OpenFile:
        """A file's bytes."""
        location = await self._location(name, version)
        entry = await self._entry(location, path)

        file = entry.path.rpartition("/")[2]
        return OpenFile(file, entry.size, 0, entry.size, self._pieces(location, entry.path))

    async def _entry(self, location: str, path: str) -> Artifact:
        path = _checked_path(path)
        for entry in await self.models.entries(location, path.rpartition("/")[0]):
            if entry.path == path and not entry.is_dir:
                return entry
        raise NotFound(f"The version has no file {path[:200]!r}.", field="path")

    async def download(self, name: str, version: str) -> tuple[str, AsyncIterator[bytes]]:
        """The name of a zip of all its files, and its bytes as they are made."""
        found = await self.models.version(name, version)
        location = await self.models.location(found)
        files = await self._walk(location)
        plain = re.sub(r"[^\w.-]", "_", found.name)[:100]
        return f"{plain}-{found.version}.zip", self._zipped(location, files)

    async def _zipped(self, location: str, files: list[Artifact]) -> AsyncIterator[bytes]:
        sink = _Sink()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
            for file in files:
                info = zipfile.ZipInfo(file.path, (1980, 1, 1, 0, 0, 0))
                info.external_attr = 0o644 << 16
                with archive.open(info, "w", force_zip64=True) as target:
                    async with self.models.open(location, file.path) as pieces:
                        async for piece in pieces:
                            await asyncio.to_thread(target.write, piece)
                            yield sink.take()
        yield sink.take()

    # writing

    async def register(self, wish: NewVersion) -> ModelVersion:
        """Register a version; the model is made if there is none of that name.

        Raises
        ------
        InvalidInput: not exactly one of `run_id`, `model_id` and `upload` is given.
        """
        given = [key for key in ("run_id", "model_id", "upload") if getattr(wish, key) is not None]
        if len(given) != 1:
            raise InvalidInput(
                "Exactly one of run_id, model_id and upload says what is registered; "
                f"given: {', '.join(given) or 'none'}.",
                field=given[1] if given else "run_id",
            )
        _check_tags(wish.tags)
        if wish.alias is not None:
            _check_alias(wish.alias)
        place = await self._place(wish)
        async with self._locks[wish.name]:
            made = await self.models.create(wish.name)
            try:
                version = await self.models.create_version(
                    wish.name, place, wish.description, wish.tags
                )
            except BaseException:
                if made:
                    with suppress(Exception):
                        await self.models.delete(wish.name, None)
                raise
            if wish.alias is not None:
                move = AliasMove(version=version.version, reason="registered with it", force=True)
                await self._move(wish.name, wish.alias, move)
        if wish.upload is not None:
            await asyncio.to_thread(self.uploads.drop, wish.upload)
        return await self.models.version(wish.name, version.version)

    async def _place(self, wish: NewVersion) -> Place:
        if wish.run_id is not None:
            if not re.fullmatch("[0-9a-zA-Z_-]{1,64}", wish.run_id):
                raise NotFound(f"There is no run {wish.run_id[:80]!r}.", field="run_id")
            path = _checked_path((wish.path or "").strip("/"))
            return await self.models.place_of_run(wish.run_id, path)
        if wish.model_id is not None:
            return await self.models.place_of_model(wish.model_id)
        assert wish.upload is not None
        files = await asyncio.to_thread(self.uploads.complete, wish.upload, wish.flavor)
        return await self.models.store(wish.name, files)

    async def upload(
        self, stream: AsyncIterator[bytes], path: str, upload: str | None, offset: int
    ) -> tuple[str, list[str]]:
        """Bring a piece of a file in; the id of its set, and the set's files so far."""
        return await self.uploads.add(upload, path, offset, stream)

    async def change(self, name: str, wish: ModelChange) -> RegisteredModel:
        """Rename, describe, tag or archive a model."""
        _check_tags(wish.tags)
        async with self._locks[name]:
            await self.models.model(name)
            await self.models.change(name, None, wish.description, _tags(wish))
            if wish.name is not None and wish.name != name:
                await self.models.rename(name, wish.name)
                name = wish.name
        return await self.models.model(name)

    async def change_version(self, name: str, version: str, wish: VersionChange) -> ModelVersion:
        """Describe, tag or archive a version."""
        _check_tags(wish.tags)
        async with self._locks[name]:
            found = await self.models.version(name, version)
            await self.models.change(name, found.version, wish.description, _tags(wish))
        return await self.models.version(name, found.version)

    async def move_alias(self, name: str, alias: str, wish: AliasMove) -> RegisteredModel:
        """Point an alias at a version.

        Raises
        ------
        Conflict: it does not point where its mover saw it; says who moved it where.
        """
        _check_alias(alias)
        async with self._locks[name]:
            await self._move(name, alias, wish)
        return await self.models.model(name)

    async def _move(self, name: str, alias: str, wish: AliasMove) -> None:
        found = await self.models.version(name, wish.version)
        if not wish.force:
            await self._expect(name, alias, wish.expected)
        await self.models.set_alias(name, alias, found.version)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        said = {"version": found.version, "reason": wish.reason, "by": self.user, "at": now}
        await self.models.change(name, None, tags={f"{ALIAS}{alias}": json.dumps(said)})

    async def remove_alias(self, name: str, alias: str, expected: str | None) -> RegisteredModel:
        """Remove an alias; with `expected` only if it still points there."""
        async with self._locks[name]:
            model = await self.models.model(name)
            if all(known.alias != alias for known in model.aliases):
                raise NotFound(f"{name!r} has no alias {alias!r}.", field="alias")
            if expected is not None:
                await self._expect(name, alias, expected)
            await self.models.delete_alias(name, alias)
            await self.models.change(name, None, tags={f"{ALIAS}{alias}": None})
        return await self.models.model(name)

    async def _expect(self, name: str, alias: str, expected: str | None) -> None:
        model = await self.models.model(name)
        now = next((known for known in model.aliases if known.alias == alias), None)
        if (None if now is None else now.version) == expected:
            return
        if now is None:
            raise Conflict(
                f"The alias {alias!r} of {name!r} has been removed meanwhile.", field="expected"
            )
        who = now.moved_by or "somebody"
        why = f" ({now.reason})" if now.reason else ""
        raise Conflict(
            f"{who} has pointed the alias {alias!r} of {name!r} at version {now.version} "
            f"meanwhile{why}.",
            field="expected",
            remedy="Look at that version, and move the alias again if it is still right.",
        )

    async def delete(self, name: str, force: bool = False) -> None:
        """Delete a model with its versions.

        Raises
        ------
        Conflict: something uses it, and it is not forced.
        """
        async with self._locks[name]:
            self._check_free(await self.uses(name), f"The model {name!r}", force)
            await self.models.delete(name, None)

    async def delete_version(self, name: str, version: str, force: bool = False) -> None:
        """Delete a version; raises `Conflict` as `delete` does."""
        async with self._locks[name]:
            found = await self.models.version(name, version)
            uses = await self.uses(name, found.version)
            self._check_free(uses, f"Version {found.version} of {name!r}", force)
            await self.models.delete(name, found.version)
            for use in uses:
                if use.kind == "alias":
                    key = f"{ALIAS}{use.ref['alias']}"
                    await self.models.change(name, None, tags={key: None})

    def _check_free(self, uses: list[Use], what: str, force: bool) -> None:
        if uses and not force:
            named = "; ".join(f"{use.kind} {use.label}" for use in uses[:5])
            more = f" and {len(uses) - 5} more" if len(uses) > 5 else ""
            raise Conflict(f"{what} is in use: {named}{more}.", field="force", remedy=FINAL)

    # files

    async def _location(self, name: str, version: str) -> str:
        return await self.models.location(await self.models.version(name, version))

    async def _walk(self, location: str) -> list[Artifact]:
        """All files, in the order of their paths."""
        found: list[Artifact] = []
        folders = [""]
        while folders:
            for entry in await self.models.entries(location, folders.pop()):
                (folders.append(entry.path) if entry.is_dir else found.append(entry))
            if len(found) + len(folders) > WALKED:
                raise InvalidInput(
                    f"The version has more than {WALKED} files.",
                    field="version",
                    remedy="mlflow.artifacts.download_artifacts takes them all.",
                )
        return sorted(found, key=lambda file: file.path)

    async def _pieces(self, location: str, path: str) -> AsyncIterator[bytes]:
        async with self.models.open(location, path) as pieces:
            async for piece in pieces:
                yield piece

    async def _head(self, location: str, path: str, size: int) -> bytes:
        data = bytearray()
        if not size:
            return b""
        async with self.models.open(location, path) as pieces:
            async for piece in pieces:
                data += piece
                if len(data) >= size:
                    break
        return bytes(data[:size])


class _Sink(io.RawIOBase):
    """What the zip wrote since it was taken last."""

    def __init__(self) -> None:
        self._data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._data += piece
        return len(piece)

    def take(self) -> bytes:
        data, self._data = bytes(self._data), bytearray()
        return data


def _tags(wish: VersionChange) -> dict[str, str | None]:
    tags: dict[str, str | None] = dict(wish.tags)
    if wish.archived is not None:
        tags[ARCHIVED] = "true" if wish.archived else None
    return tags


def _check_tags(tags: object) -> None:
    for key in tags if isinstance(tags, dict) else ():
        if not TAG_KEY.fullmatch(key) or key != key.strip() or key.startswith("perijove."):
            raise InvalidInput(
                f"A tag cannot be called {key[:100]!r}: letters, digits and . - _ / : or blanks, "
                "at most 250, and not beginning with 'perijove.'.",
                field="tags",
            )


def _check_alias(alias: str) -> None:
    if RESERVED.fullmatch(alias):
        raise Conflict(
            f"MLflow keeps the alias {alias!r} for itself.",
            field="alias",
            remedy="'latest' and 'v1', 'v2' … always mean versions by their numbers.",
        )
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,99}", alias):
        raise InvalidInput(
            f"An alias cannot be {alias[:100]!r}: a letter, then letters, digits, '_', '.', '-', "
            "at most 100.",
            field="alias",
        )


def _checked_path(path: str) -> str:
    if not path:
        return ""
    try:
        return check_relative_path(path)
    except ValueError as error:
        raise InvalidInput(f"{path[:100]!r}: {error}.", field="path") from None
