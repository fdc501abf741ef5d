"""The verbs on registered models, their versions and aliases."""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from perijove.abc import JobStore, TaskRunner
from perijove.abc.registry import ModelRegistry, Place
from perijove.errors import Conflict, InvalidInput, NotFound, TrackingUnreachable
from perijove.models.logged import REQUEST_TAG
from perijove.models.problems import RuleError
from perijove.models.registry import (
    AliasMove,
    ModelChange,
    ModelVersion,
    NewVersion,
    RegisteredModel,
    Use,
    VersionChange,
    check_alias,
)
from perijove.models.runs import Lineage
from perijove.services.uploads import Uploads
from perijove.services.versionfiles import VersionFiles, checked_path

ALIAS = "perijove.alias."
ARCHIVED = "perijove.archived"
RESERVED = re.compile(r"latest|v\d+", re.I)
TAG_LENGTH = 100_000
"""What MLflow takes of a version's tag."""
TAG_KEY = re.compile(r"[\w.\- /:]{1,250}")
FINAL = "MLflow deletes versions for good; archiving hides it and can be undone."


@dataclass
class Registry:
    """All verbs raise what `ModelRegistry` raises, too.

    Writes to one model wait for each other, so that an alias moves from where its mover saw it,
    and many registrations at once are versions one after the other. `files` has what is about
    versions' files.
    """

    models: ModelRegistry
    jobs: JobStore
    uploads: Uploads
    tasks: TaskRunner
    user: str
    files: VersionFiles = field(init=False)
    _locks: defaultdict[str, asyncio.Lock] = field(
        default_factory=lambda: defaultdict(asyncio.Lock)
    )

    def __post_init__(self) -> None:
        self.files = VersionFiles(self.models, self.tasks)

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

    # writing

    async def register(self, wish: NewVersion) -> ModelVersion:
        """Register a version; the model is made if there is none of that name. A wish that was
        met already, which its id says, returns the version that came of it.

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
        async with self._locks[wish.name]:
            version = await self.models.registered(wish.name, wish.id.hex)
            again = version is not None
            if version is None:
                version = await self._make(wish, await self._place(wish))
            if wish.alias is not None:
                await self._point(wish.name, wish.alias, version.version, again)
        if wish.upload is not None:
            with suppress(NotFound):  # dropped by an earlier try
                await asyncio.to_thread(self.uploads.drop, wish.upload)
        return await self.models.version(wish.name, version.version)

    async def _make(self, wish: NewVersion, place: Place) -> ModelVersion:
        made = await self.models.create(wish.name)
        tags = wish.tags | {REQUEST_TAG: wish.id.hex}
        try:
            return await self.models.create_version(wish.name, place, wish.description, tags)
        except BaseException as error:
            if isinstance(error, TrackingUnreachable):
                # it may have been made: only its answer was lost
                found = await self.models.registered(wish.name, wish.id.hex)
                if found is not None:
                    return found
            if made:
                with suppress(Exception):
                    await self.models.delete(wish.name, None)
            raise

    async def _point(self, name: str, alias: str, version: str, again: bool) -> None:
        """At what was registered; not back from a later version, when it was asked for again."""
        if again:
            aliases = (await self.models.model(name)).aliases
            now = next((int(known.version) for known in aliases if known.alias == alias), 0)
            if now >= int(version):
                return
        move = AliasMove(version=version, reason="registered with it", force=True)
        await self._move(name, alias, move)

    async def _place(self, wish: NewVersion) -> Place:
        if wish.run_id is not None:
            if not re.fullmatch("[0-9a-zA-Z_-]{1,64}", wish.run_id):
                raise NotFound(f"There is no run {wish.run_id[:80]!r}.", field="run_id")
            path = checked_path((wish.path or "").strip("/"))
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
            raise Conflict(
                f"{what} is in use: {named}{more}.",
                field="force",
                remedy=f"{FINAL} To delete it all the same: --force.",
            )


def _tags(wish: VersionChange) -> dict[str, str | None]:
    tags: dict[str, str | None] = dict(wish.tags)
    if wish.archived is not None:
        tags[ARCHIVED] = "true" if wish.archived else None
    return tags


def _check_tags(tags: Mapping[str, str | None]) -> None:
    for key, value in tags.items():
        if value is not None and len(value) > TAG_LENGTH:
            raise InvalidInput(
                f"The tag {key[:100]!r} has {len(value)} characters; "
                f"at most {TAG_LENGTH} are kept.",
                field="tags",
            )
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
    try:
        check_alias(alias)
    except RuleError as error:
        raise InvalidInput(f"alias: {error}.", field="alias", remedy=error.remedy) from None
