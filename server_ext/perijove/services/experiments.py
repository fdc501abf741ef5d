"""Experiments: MLflow's, with saved views of their runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from perijove.abc.records import Records
from perijove.errors import Conflict, InvalidInput, NotFound, TrackingUnreachable
from perijove.models.experiments import (
    Experiment,
    ExperimentChange,
    Lifecycle,
    NewExperiment,
    RunsView,
    View,
)
from perijove.models.logged import REQUEST_TAG
from perijove.models.runs import Column

NOTE = "mlflow.note.content"
VIEW = "perijove.view."
"""What begins the tag that keeps a view. Its name follows, or a digest of it: tags' keys hold few
characters."""
TAG_BYTES = 5000
"""What MLflow keeps of an experiment's tag."""
RESERVED = ("mlflow.", "perijove.")


@dataclass
class ExperimentService:
    """See the routes."""

    records: Records

    async def all(self, view: View, filter: str = "") -> list[Experiment]:
        """Those used last first."""
        return [_shown(found) for found in await self.records.experiments(view, filter)]

    async def get(self, experiment_id: str) -> Experiment:
        """One of them. Raises NotFound."""
        return _shown(await self.records.experiment(experiment_id))

    async def create(self, wish: NewExperiment) -> Experiment:
        """A new one; the wish's id says whether it was made already.

        Raises
        ------
        Conflict: there is one of that name, deleted or not.
        """
        check_tags(wish.tags, TAG_BYTES)
        tags = wish.tags | ({NOTE: wish.description} if wish.description else {})
        check_lengths(tags, TAG_BYTES)
        request = {REQUEST_TAG: wish.id.hex}
        try:
            made = await self.records.create_experiment(wish.name, tags | request)
        except (Conflict, TrackingUnreachable):
            # an answer was lost, or this is the wish's second time
            for found in await self.records.experiments(View.ACTIVE):
                if found.name == wish.name and found.tags.items() >= request.items():
                    return _shown(found)
            raise
        return await self.get(made)

    async def change(self, experiment_id: str, wish: ExperimentChange) -> Experiment:
        """Rename, describe, tag.

        Raises
        ------
        Conflict: it is deleted, or the name is taken.
        """
        check_tags(wish.tags, TAG_BYTES)
        tags = dict(wish.tags)
        if wish.description is not None:
            tags[NOTE] = wish.description or None
        check_lengths(tags, TAG_BYTES)
        found = await self._active(experiment_id)
        if wish.name is not None and wish.name != found.name:
            await self.records.rename_experiment(experiment_id, wish.name)
        await self.records.tag_experiment(experiment_id, tags)
        return await self.get(experiment_id)

    async def delete(self, experiment_id: str) -> Experiment:
        """Delete it, with its runs."""
        await self.records.move_experiment(experiment_id, Lifecycle.DELETED)
        return await self.get(experiment_id)

    async def restore(self, experiment_id: str) -> Experiment:
        """Bring it back, with its runs."""
        await self.records.move_experiment(experiment_id, Lifecycle.ACTIVE)
        return await self.get(experiment_id)

    async def columns(self, experiment_ids: Sequence[str]) -> list[Column]:
        """What their active runs have."""
        return await self.records.columns(experiment_ids)

    async def views(self, experiment_id: str) -> list[RunsView]:
        """The saved views, by name."""
        found = await self.records.experiment(experiment_id)
        views = []
        for key, text in found.tags.items():
            if key.startswith(VIEW):
                try:
                    views.append(RunsView.model_validate_json(text))
                except ValidationError:
                    continue  # another program's, or a later version's
        return sorted(views, key=lambda view: view.name.casefold())

    async def save_view(self, experiment_id: str, view: RunsView) -> list[RunsView]:
        """Save it, in place of one of that name.

        Raises
        ------
        InvalidInput: it is too long for a tag.
        """
        await self._active(experiment_id)
        await self.records.tag_experiment(experiment_id, {_tag(view.name): _text(view)})
        return await self.views(experiment_id)

    async def rename_view(self, experiment_id: str, name: str, wanted: str) -> list[RunsView]:
        """Call it otherwise.

        Raises
        ------
        NotFound: there is none.
        Conflict: there is one of the wanted name.
        """
        found = await self._with_view(experiment_id, name)
        if wanted == name:
            return await self.views(experiment_id)
        if _tag(wanted) in found.tags:
            raise Conflict(
                f"Experiment {found.name} has a view {wanted} already.",
                field="name",
                remedy="Choose another name, or delete that view first.",
            )
        view = RunsView.model_validate_json(found.tags[_tag(name)])
        renamed = _text(view.model_copy(update={"name": wanted}))
        # the new one first: what is cut short here leaves two, and not none
        await self.records.tag_experiment(experiment_id, {_tag(wanted): renamed})
        await self.records.tag_experiment(experiment_id, {_tag(name): None})
        return await self.views(experiment_id)

    async def delete_view(self, experiment_id: str, name: str) -> list[RunsView]:
        """Forget it. Raises NotFound."""
        await self._with_view(experiment_id, name)
        await self.records.tag_experiment(experiment_id, {_tag(name): None})
        return await self.views(experiment_id)

    async def _with_view(self, experiment_id: str, name: str) -> Experiment:
        found = await self._active(experiment_id)
        if _tag(name) not in found.tags:
            raise NotFound(f"Experiment {found.name} has no view {name[:128]}.", field="name")
        return found

    async def _active(self, experiment_id: str) -> Experiment:
        found = await self.records.experiment(experiment_id)
        if found.lifecycle_stage is Lifecycle.DELETED:
            raise Conflict(f"Experiment {found.name} is deleted.", remedy="Restore it first.")
        return found


def check_tags(tags: Mapping[str, str | None], length: int) -> None:
    """Raises InvalidInput: a key is MLflow's or ours, or MLflow takes no such key or value."""
    for key in tags:
        if key.startswith(RESERVED) or not key:
            raise InvalidInput(
                f"The tag {key[:80]!r} cannot be set here: mlflow.… and perijove.… are kept for "
                "MLflow and Perijove, and a name must not be empty.",
                field=f"tags.{key[:80]}",
            )
        if len(key) > 250 or not all(c.isalnum() or c in "/_.- :" for c in key):
            raise InvalidInput(
                f"The tag {key[:80]!r} has a name MLflow does not take: letters, digits, blanks "
                "and /_.-: only, at most 250.",
                field=f"tags.{key[:80]}",
            )
        if key.startswith("/") or any(part in ("", ".", "..") for part in key.split("/")):
            raise InvalidInput(
                f"The tag {key[:80]!r} has a name MLflow does not take: it must not look like a "
                "path elsewhere.",
                field=f"tags.{key[:80]}",
            )
    check_lengths(tags, length)


def check_lengths(tags: Mapping[str, str | None], length: int) -> None:
    """Raises InvalidInput: a value is longer than what MLflow keeps of it."""
    for key, text in tags.items():
        if text is not None and len(text) > length:
            name = "description" if key == NOTE else f"tags.{key[:80]}"
            raise InvalidInput(
                f"{name} must have at most {length} characters (it has {len(text)}).", field=name
            )


def _shown(found: Experiment) -> Experiment:
    tags = {key: text for key, text in found.tags.items() if not key.startswith(RESERVED)}
    return found.model_copy(update={"tags": tags})


def _text(view: RunsView) -> str:
    """What is kept of it. Raises InvalidInput: it is too long for a tag."""
    text = view.model_dump_json(exclude_defaults=True)
    if (length := len(text.encode())) > TAG_BYTES:
        raise InvalidInput(
            f"The view {view.name} is {length} bytes long; an experiment's tag holds {TAG_BYTES}.",
            field="columns",
            remedy="Choose fewer columns.",
        )
    return text


def _tag(name: str) -> str:
    if name.isascii() and all(c.isalnum() or c in "_.- " for c in name):
        return VIEW + name
    return VIEW + hashlib.sha256(name.encode()).hexdigest()
