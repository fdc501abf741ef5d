"""What an MLmodel says, read as text. It may come from anybody: nothing in it is believed to be
small, and nothing is imported or unpickled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from perijove.models.registry import ModelFacts, SignatureColumn
from perijove.models.runs import Artifact

MLMODEL_BYTES = 256 << 10
EXAMPLE_BYTES = 64 << 10
REQUIREMENTS_BYTES = 64 << 10
NODES, DEPTH, TEXT, COLUMNS = 5000, 16, 2000, 1000
"""Bounds of what is passed on: values, nesting, characters of one text, columns."""
PICKLES = re.compile(r"\.(pkl|pickle|p|joblib|cloudpickle|dill|pt|pth|npy\.pkl)$", re.I)
PICKLED = ("pickle", "cloudpickle", "dill", "joblib")


def read_mlmodel(data: bytes) -> tuple[dict[str, Any], list[str]]:
    """Its mapping, without anchors' expansions running away, and what is wrong with it."""
    if len(data) > MLMODEL_BYTES:
        return {}, [f"MLmodel has more than {MLMODEL_BYTES >> 10} KiB and was not read."]
    try:
        # the C loader nests on the C stack, which a hostile file would overflow
        found = yaml.load(data, yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError, UnicodeDecodeError) as error:
        first = str(error).partition("\n")[0][:200]
        return {}, [f"MLmodel is no valid YAML: {first}"]
    if not isinstance(found, dict):
        return {}, ["MLmodel is no mapping."]
    return found, []


def facts_of(mlmodel: Mapping[str, Any], files: Iterable[Artifact]) -> ModelFacts:
    """Flavours, signature and warnings; `files` are all of the version's."""
    listed = [file for file in files if not file.is_dir]
    flavors = mlmodel.get("flavors")
    flavors = flavors if isinstance(flavors, dict) else {}
    signature = mlmodel.get("signature")
    signature = signature if isinstance(signature, dict) else {}
    function = flavors.get("python_function")
    function = function if isinstance(function, dict) else {}
    return ModelFacts(
        flavors={
            _text(name): value if isinstance(value := bounded(flavor), dict) else {"value": value}
            for name, flavor in list(flavors.items())[:50]
        },
        inputs=_columns(signature.get("inputs")),
        outputs=_columns(signature.get("outputs")),
        parameters=_columns(signature.get("params")),
        python=_text_or_none(function.get("python_version")),
        mlflow=_text_or_none(mlmodel.get("mlflow_version")),
        size=sum(file.size or 0 for file in listed),
        files=len(listed),
        warnings=_warnings(flavors, listed),
    )


def example_path(mlmodel: Mapping[str, Any]) -> str | None:
    """The file that holds the input example."""
    info = mlmodel.get("saved_input_example_info")
    path = info.get("artifact_path") if isinstance(info, dict) else None
    if not isinstance(path, str) or ".." in path or path.startswith("/"):
        return None
    return path if path.endswith(".json") else None


def read_example(data: bytes) -> Any:
    """An input example as JSON, with its largest parts cut; None: it is none."""
    try:
        return bounded(json.loads(data), 500)
    except (ValueError, RecursionError):
        return None


def read_requirements(data: bytes) -> list[str]:
    """The lines that say something."""
    lines = data[:REQUIREMENTS_BYTES].decode("utf-8", "replace").splitlines()
    kept = (line.strip()[:300] for line in lines)
    return [line for line in kept if line and not line.startswith("#")][:1000]


def bounded(value: Any, nodes: int = NODES) -> Any:
    """The value as JSON of at most so many parts: YAML's anchors can make a line a terabyte."""
    left = nodes

    def copy(part: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or depth > DEPTH:
            return "…"
        if part is None or isinstance(part, bool):
            return part
        if isinstance(part, int):
            return part if abs(part) < 2**63 else _text(part)
        if isinstance(part, float):
            return part if part == part and abs(part) != float("inf") else str(part)
        if isinstance(part, Mapping):
            made: dict[str, Any] = {}
            for key, item in part.items():
                if left <= 0:
                    made["…"] = "…"
                    break
                made[_text(key)] = copy(item, depth + 1)
            return made
        if isinstance(part, (list, tuple, set)):
            listed = []
            for item in part:
                if left <= 0:
                    listed.append("…")
                    break
                listed.append(copy(item, depth + 1))
            return listed
        return _text(part)

    return copy(value, 0)


def _columns(said: Any) -> list[SignatureColumn]:
    if isinstance(said, str):
        try:
            said = json.loads(said)
        except (ValueError, RecursionError):
            return []
    if not isinstance(said, list):
        return []
    return [_column(column) for column in said[:COLUMNS] if isinstance(column, dict)]


def _column(said: Mapping[str, Any]) -> SignatureColumn:
    spec = said.get("tensor-spec")
    spec = spec if isinstance(spec, dict) else {}
    shape = spec.get("shape", said.get("shape"))
    required = said.get("required", True)
    return SignatureColumn(
        name=_text_or_none(said.get("name")),
        type=_text(spec["dtype"]) if "dtype" in spec else _type(said, 0),
        shape=[n for n in shape[:20] if isinstance(n, int)] if isinstance(shape, list) else None,
        required=bool(required) and "default" not in said,
    )


def _type(said: Any, depth: int) -> str:
    """``array<double>``, ``object{a: string}``; nested ones are MLflow's complex types."""
    if not isinstance(said, dict) or depth > 4:
        return _text(said)[:100]
    kind = _text(said.get("type", "any"))
    if kind == "array":
        return f"array<{_type(said.get('items'), depth + 1)}>"[:300]
    if kind == "map":
        return f"map<{_type(said.get('values'), depth + 1)}>"[:300]
    properties = said.get("properties")
    if kind == "object" and isinstance(properties, dict):
        inner = (f"{_text(k)}: {_type(v, depth + 1)}" for k, v in list(properties.items())[:20])
        return f"object{{{', '.join(inner)}}}"[:300]
    return kind


def _warnings(flavors: Mapping[Any, Any], files: list[Artifact]) -> list[str]:
    said = []
    function = flavors.get("python_function")
    module = function.get("loader_module") if isinstance(function, dict) else None
    if isinstance(function, dict) and not _is_of_mlflow(module):
        said.append(
            f"Loading it imports the module {_text(module)[:200]!r}, which is not MLflow's: "
            "it may run any code."
        )
    pickles = [file.path for file in files if PICKLES.search(file.path)]
    formats = {
        str(flavor.get("serialization_format")).lower()
        for flavor in flavors.values()
        if isinstance(flavor, dict)
    }
    if pickles:
        named = ", ".join(pickles[:3]) + (" …" if len(pickles) > 3 else "")
        said.append(f"{named} may be pickled: loading runs the code in it.")
    elif formats & set(PICKLED):
        said.append("It is pickled: loading runs the code in it.")
    if any(isinstance(f, dict) and f.get("code") for f in flavors.values()):
        said.append("It brings code of its own, which loading imports.")
    return said


def _is_of_mlflow(module: Any) -> bool:
    return isinstance(module, str) and re.fullmatch(r"mlflow(\.[A-Za-z_]\w*)+", module) is not None


def _text(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else str(value)
    except (ValueError, RecursionError):  # an integer of many thousand digits
        return "…"
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= TEXT else f"{text[:TEXT]}…"


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)
