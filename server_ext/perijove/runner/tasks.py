"""Work that the hub gives away because it is heavy or reads what users wrote: *inspect*, *render*.

``python -m perijove.runner.tasks TASK ARGS_JSON RESULT_FILE``, or forked from the zygote.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perijove.errors import InvalidInput, PerijoveError


def run_task(task: str, args: dict[str, Any], result: Path) -> None:
    """Do the task and put its result, or its error, at `result`."""
    try:
        found = TASKS[task](**args)
    except PerijoveError as error:
        found = {"error": error.to_json()}
    except Exception as error:
        found = {"error": InvalidInput(f"{task}: {error}").to_json()}
    partial = result.with_name(f".{result.name}")
    partial.write_text(json.dumps(found))
    partial.rename(result)


def inspect(notebook: str) -> dict[str, Any]:
    """The parameters papermill finds in the ``parameters`` cell."""
    from perijove.runner.lean import import_papermill

    import_papermill()
    from papermill.inspection import _infer_parameters
    from papermill.iorw import load_notebook_node

    node = load_notebook_node(notebook)
    try:
        found = _infer_parameters(node)
    except Exception as error:
        raise InvalidInput(f"The parameters cell cannot be read: {error}", field="path") from None
    return {"parameters": [_parameter(parameter) for parameter in found]}


def _parameter(parameter: Any) -> dict[str, Any]:
    literal, kind = None, ""
    try:
        literal = ast.literal_eval(parameter.default)
        kind = type(literal).__name__
        json.dumps(literal)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        literal = None
    declared = parameter.inferred_type_name.strip().lower()
    known = {"int", "float", "str", "bool", "list", "dict"}
    names = {"string": "str", "integer": "int", "boolean": "bool", "number": "float"}
    declared = names.get(declared, declared)
    kind = declared if declared in known else kind if kind in known else "None"
    return {
        "name": parameter.name,
        "type": kind,
        "default": literal,
        "source": parameter.default,
        "help": parameter.help or "",
    }


def render(notebook: str, html: str, title: str) -> dict[str, Any]:
    """An HTML page of an executed notebook, all in one file."""
    import nbformat
    from nbconvert import HTMLExporter

    node = nbformat.read(notebook, as_version=4)
    exporter = HTMLExporter(template_name="lab")
    body, _ = exporter.from_notebook_node(node, resources={"metadata": {"name": title}})
    partial = Path(html).with_name(f".{Path(html).name}")
    partial.write_text(body, encoding="utf-8", errors="replace")
    os.replace(partial, html)
    return {"html": html}


TASKS: dict[str, Callable[..., dict[str, Any]]] = {"inspect": inspect, "render": render}

if __name__ == "__main__":
    run_task(sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3]))
