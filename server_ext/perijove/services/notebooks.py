"""Notebooks before they run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from perijove.abc import TaskRunner
from perijove.errors import InvalidInput
from perijove.models.definitions import definition_path, dump_definition, parse_definition
from perijove.models.jobs import JobDefinition
from perijove.models.notebooks import NotebookInspection, NotebookParameter
from perijove.services.sources import Source, read_source


@dataclass
class NotebookService:
    """Inspection with papermill, in a process of its own; run configurations as YAML."""

    tasks: TaskRunner

    async def inspect(self, path: str, root: str) -> NotebookInspection:
        """What *Run on…* needs to make its form.

        Raises
        ------
        InvalidInput: no readable notebook or script there.
        """
        source = read_source(path, root)
        cells = [] if source.notebook is None else source.notebook["cells"]
        tagged = any("parameters" in cell.get("metadata", {}).get("tags", []) for cell in cells)
        parameters = []
        if tagged:
            found = await self.tasks.run("inspect", {"notebook": str(source.file)})
            listed = found["parameters"]
            assert isinstance(listed, list)
            parameters = [NotebookParameter.model_validate(item) for item in listed]
        return NotebookInspection(
            path=path,
            parameters=parameters,
            has_parameters_cell=tagged,
            kernelspec=source.kernelspec,
            language=source.language,
            code_cells=source.code_cells,
            experiment=source.experiment,
            definition=_saved(source),
        )

    def save_definition(self, definition: JobDefinition) -> str:
        """Write ``<stem>.job.yaml`` beside the notebook; returns its path below the root.

        Raises
        ------
        InvalidInput: the notebook cannot be read, or its folder not be written.
        """
        source = read_source(definition.path, definition.root)
        target = definition_path(source.file)
        partial = target.with_name(f".{target.name}.{uuid4().hex[:8]}")
        try:
            partial.write_text(dump_definition(definition), encoding="utf-8")
            os.replace(partial, target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise InvalidInput(
                f"{target.name} cannot be written: {error.strerror}.", field="path"
            ) from None
        return target.relative_to(source.root).as_posix()


def _saved(source: Source) -> dict[str, object] | None:
    """The run configuration beside it; one that cannot be read is as good as none."""
    try:
        text = Path(definition_path(source.file)).read_text("utf-8")
        saved = parse_definition(text).model_dump(mode="json", exclude_unset=True)
        return saved | {"path": source.path}
    except (OSError, UnicodeDecodeError, InvalidInput):
        return None
