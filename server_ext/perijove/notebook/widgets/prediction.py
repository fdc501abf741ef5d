"""A form to try a model with. The model is loaded and asked in a job, never in this process."""

from __future__ import annotations

import json
import threading
from typing import Any

import ipywidgets
import traitlets as t

from perijove.client import displays
from perijove.client.dashboards import folder
from perijove.client.jobs import Job
from perijove.client.workspace import Workspace
from perijove.errors import InvalidInput, PerijoveError
from perijove.models.jobs import JobDefinition
from perijove.notebook.widgets.jobs import JobCard
from perijove.notebook.widgets.models import ModelRegistry

NOTEBOOK = "predict.ipynb"
RESULT = "outputs/prediction.json"
NUMBERS = {"integer": int, "long": int, "float": float, "double": float}
"""MLflow's types of columns that are numbers."""
LABEL = 24
"""Characters of a column's name before its field; a longer one is cut, and whole in a tool tip."""


class PredictionForm(ipywidgets.VBox):
    """A field for each column that the selected version takes, and a button.

    Parameters
    ----------
    registry: where the version is selected.
    """

    result = t.List()
    """The rows of the last answer, as JSON."""

    def __init__(self, registry: ModelRegistry, workspace: Workspace | None = None) -> None:
        super().__init__()
        self._registry = registry
        self._workspace = workspace or Workspace()
        self._fields: dict[str, ipywidgets.Widget] = {}
        self._types: dict[str, str] = {}
        self._compute = ipywidgets.Dropdown(
            options=[target.name for target in self._workspace.compute.list()],
            description="Compute",
        )
        self._button = ipywidgets.Button(description="Predict", button_style="primary")
        self._button.on_click(lambda _: self._submit())
        self._said = ipywidgets.HTML()
        self._progress = ipywidgets.VBox()
        registry.observe(lambda _: self._show(), names=["data"])
        self._show()

    def _show(self) -> None:
        """Draw the fields, if the version is another one."""
        facts = self._registry.data.get("facts")
        if facts is None:
            self._fields = {}
            self.children = [ipywidgets.HTML("Select a version above.")]
            return
        if "python_function" not in facts["flavors"]:
            self._fields = {}
            why = (
                "has no python_function flavour" if facts["flavors"] else "is no model of MLflow's"
            )
            self.children = [ipywidgets.HTML(f"No predictions: this version {why}.")]
            return
        types = {each["name"] or "": each["type"] for each in facts["inputs"]}
        if types == self._types and self._fields:
            return
        self._types = types
        example = _first_row(facts["input_example"])
        if types and "" not in types:
            label = {"description_width": f"{min(max(map(len, types)), LABEL) + 1}ch"}
            self._fields = {
                name: ipywidgets.Text(value=str(example.get(name, "")), description=name,
                                      placeholder=kind, style=label, layout={"width": "auto"})
                for name, kind in types.items()
            }  # fmt: skip
        else:
            text = json.dumps(facts["input_example"] or [], indent=1)
            self._fields = {"": ipywidgets.Textarea(value=text, description="Rows (JSON)")}
        grid = ipywidgets.Layout(grid_template_columns="repeat(auto-fill, minmax(300px, 1fr))")
        self.children = [
            ipywidgets.GridBox(list(self._fields.values()), layout=grid),
            ipywidgets.HBox([self._compute, self._button]),
            self._said,
            self._progress,
        ]

    def rows(self) -> Any:
        """What was filled in, as the model takes it.

        Raises
        ------
        InvalidInput: a field holds what its column cannot.
        """
        if "" in self._fields:
            try:
                return json.loads(self._fields[""].value)
            except ValueError as error:
                raise InvalidInput(f"The rows are no valid JSON: {error}.", field="rows") from None
        row = {}
        for name, field in self._fields.items():
            convert = NUMBERS.get(self._types[name], str)
            try:
                row[name] = convert(field.value)
            except ValueError:
                raise InvalidInput(
                    f"{name} must be a number ({self._types[name]}).", field=name
                ) from None
        return [row]

    def submit(self) -> Job:
        """Ask in a job; `result` has the answer when it has succeeded."""
        registry = self._registry
        definition = JobDefinition(
            root=str(folder() / "prediction"),
            path=NOTEBOOK,
            name=f"predict with {registry.model}"[:200],
            experiment="predictions",
            compute=self._compute.value,
            parameters={
                "model": registry.model,
                "version": registry.version,
                "rows": json.dumps(self.rows()),
            },
        )
        return self._workspace.jobs.submit(definition)

    def _submit(self) -> None:
        try:
            job = self.submit()
        except PerijoveError as error:
            self._said.value = displays.text(error.message)
            return
        self._said.value = ""
        self._progress.children = [JobCard(job, self._workspace)]
        threading.Thread(target=self._await, args=(job.id,), daemon=True).start()

    def _await(self, job_id: str) -> None:
        # a client of its own: connections are not shared between threads
        with_own = Workspace(self._workspace.name, start=False)
        try:
            job = with_own.jobs.get(job_id).wait()
            if job.state == "succeeded":
                answer = b"".join(with_own.client.fetch(f"/jobs/{job_id}/files/{RESULT}"))
                self.result = json.loads(answer)
                head = list(self.result[0]) if self.result else []
                rows = [[displays.figure(row[name]) for name in head] for row in self.result[:20]]
                self._said.value = displays.table(head, rows, len(self.result))
        except PerijoveError as error:
            self._said.value = displays.text(error.message)
        finally:
            with_own.close()


def _first_row(example: Any) -> dict[str, Any]:
    """The first row of an input example, as MLflow writes them."""
    if isinstance(example, dict) and {"columns", "data"} <= set(example) and example["data"]:
        return dict(zip(example["columns"], example["data"][0], strict=False))
    if isinstance(example, list) and example and isinstance(example[0], dict):
        return dict(example[0])
    if isinstance(example, dict):
        return {key: each[0] if isinstance(each, list) and each else each
                for key, each in example.items()}  # fmt: skip
    return {}
