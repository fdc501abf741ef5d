"""Work that the hub gives away because it is heavy or reads what users wrote: *inspect*, *render*,
*table* (a Parquet file's first rows), *notebook_diff*.

``python -m perijove.runner.tasks TASK ARGS_JSON RESULT_FILE``, or forked from the zygote.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from perijove.errors import InvalidInput, PerijoveError
from perijove.writing import replace_file

VIEW, WIDGET = "application/vnd.perijove.view+json", "application/vnd.jupyter.widget-view+json"
"""What marks the outputs of our widgets, and what makes a page draw any widget."""


def run_task(task: str, args: dict[str, Any], result: Path) -> None:
    """Do the task and put its result, or its error, at `result`."""
    try:
        found = TASKS[task](**args)
    except PerijoveError as error:
        found = {"error": error.to_json()}
    except Exception as error:
        found = {"error": InvalidInput(f"{task}: {error}").to_json()}
    replace_file(result, json.dumps(found))


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

    node = _still(nbformat.read(notebook, as_version=4))
    body, _ = _exporter().from_notebook_node(node, resources={"metadata": {"name": title}})
    partial = Path(html).with_name(f".{Path(html).name}")
    partial.write_text(body, encoding="utf-8", errors="replace")
    os.replace(partial, html)
    return {"html": html}


def _still(node: Any) -> Any:
    """Our widgets as they looked last: their HTML, where a page would fetch what draws them live
    from elsewhere."""
    left = False
    for cell in node.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if VIEW in data:
                data.pop(WIDGET, None)
            left = left or WIDGET in data
    if not left:
        node.metadata.pop("widgets", None)
    return node


@cache
def _exporter() -> Any:
    from nbconvert import HTMLExporter

    return HTMLExporter(template_name="lab")


def rehearse_render() -> None:
    """Render what most notebooks have, so that forks find templates and lexers compiled."""
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

    outputs = [
        new_output("stream", name="stdout", text="\x1b[31mred\x1b[0m"),
        new_output("display_data", data={"text/html": "<p>a</p>", "text/plain": "a"}),
        new_output("error", ename="E", evalue="v", traceback=["\x1b[31mE\x1b[0m: v"]),
    ]
    code = "import os  # why\nfor i in range(3):\n    print(f'{i:.2f}', os.sep)\n%time 1 + 1"
    cells = [
        new_markdown_cell("# Title\n\n*a* [b](c) `d` $e$\n\n- f\n\n```python\ng = 1\n```"),
        new_code_cell(code, outputs=outputs, execution_count=1),
    ]
    metadata = {"language_info": {"name": "ipython", "pygments_lexer": "ipython3"}}
    _exporter().from_notebook_node(new_notebook(cells=cells, metadata=metadata))


def table(file: str, rows: int, columns: int, cell: int) -> dict[str, Any]:
    """The first rows of a Parquet file, as text."""
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file, memory_map=True) as found:
            names = list(found.schema_arrow.names)
            total, shown = found.metadata.num_rows, names[:columns]
            batches = found.iter_batches(batch_size=rows, columns=shown)
            first = next(iter(batches), None)
    except Exception as error:
        raise InvalidInput(f"It cannot be read as Parquet: {str(error)[:300]}") from None
    listed = [] if first is None else [column.to_pylist() for column in first.columns]
    text = [
        [None if v is None else str(v)[:cell] for v in row] for row in zip(*listed, strict=True)
    ]
    return {
        "columns": [name[:cell] for name in shown],
        "rows": text,
        "total_rows": total,
        "truncated": total > len(text) or len(names) > columns,
    }


def notebook_diff(left: str, right: str) -> dict[str, Any]:
    """Two notebooks, and nbdime's difference between them."""
    import nbformat
    from nbdime import diff_notebooks

    found = []
    for path in (left, right):
        try:
            found.append(nbformat.read(path, as_version=4))
        except Exception as error:
            raise InvalidInput(f"A notebook cannot be read: {str(error)[:300]}") from None
    return {"left": found[0], "right": found[1], "diff": diff_notebooks(*found)}


TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    "inspect": inspect,
    "render": render,
    "table": table,
    "notebook_diff": notebook_diff,
}

if __name__ == "__main__":
    run_task(sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3]))
