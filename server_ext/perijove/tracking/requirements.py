"""What a model needs, found where it was made.

MLflow starts a Python, loads the model there and watches what is imported, which takes ten
seconds. But a model's file names the modules it is made of; what their packages depend on, the
packages say themselves. From there to the pins it is MLflow's own way. The result lacks only what
happened to be installed and was imported on trial (pytest, dask). Where the file says too little
(other flavors, code of its own) MLflow's own way is taken altogether.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import site
import sys
import zipfile
from collections.abc import Callable
from functools import wraps
from inspect import isgenerator
from pathlib import Path
from typing import Any

import yaml
from mlflow.utils import requirements_utils

LOADERS = {"skops": "skops.io", "cloudpickle": "cloudpickle", "pickle": "pickle"}
"""What loads a model of each format."""
ALWAYS = "pandas"
"""What MLflow itself hands to every model."""
ASKED = ("_get_requires", "_get_installed_version")
_Capture = Callable[..., list[str]]
_answers: dict[str, tuple[tuple[int, ...], dict[tuple[str | None, ...], Any]]] = {}


def remembered(ask: Callable[..., Any]) -> Callable[..., Any]:
    """A function of MLflow's that reads what a package says of itself; it is asked a hundred times
    for a model, and each time a file is parsed. The answers are good until something is installed
    or removed, which is when Python looks again, too."""

    @wraps(ask)
    def answer(*args: str | None) -> Any:
        installed = tuple(map(_changed, site.getsitepackages()))
        known, answers = _answers.get(ask.__name__, ((), {}))
        if known != installed:
            _answers[ask.__name__] = installed, answers = installed, {}
        if args not in answers:
            found = ask(*args)
            answers[args] = tuple(found) if isgenerator(found) else found
        return answers[args]

    return answer


def _changed(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


def without_a_process(capture: _Capture) -> _Capture:
    """MLflow's function that names the modules a model imports, for models of scikit-learn."""

    @wraps(capture)
    def modules(model_uri: Any, flavor: str, *args: Any, **kwargs: Any) -> list[str]:
        wants_more = bool(args) or bool(kwargs.get("record_full_module"))
        if flavor == "sklearn" and not wants_more:
            try:
                return sorted(_with_dependencies(_of_model(Path(str(model_uri)))))
            except Exception:  # it is not as it is known to be: ask MLflow
                return capture(model_uri, flavor, *args, **kwargs)
        return capture(model_uri, flavor, *args, **kwargs)

    return modules


def _of_model(file: Path) -> set[str]:
    """Raises Exception, of whatever kind, if the file or its MLmodel is not as expected."""
    flavors = yaml.safe_load((file.parent / "MLmodel").read_text())["flavors"]
    if flavors["sklearn"].get("code"):
        raise ValueError("it comes with code of its own")
    kind = flavors["sklearn"]["serialization_format"]
    named = _named_in_skops(file) if kind == "skops" else _named_in_pickle(file)
    return named | {LOADERS[kind]}


def _named_in_skops(file: Path) -> set[str]:
    with zipfile.ZipFile(file) as archive:
        schema = json.loads(archive.read("schema.json"))
    found: set[str] = set()
    waiting: list[Any] = [schema]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if isinstance(module := item.get("__module__"), str):
                found.add(module)
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return found


def _named_in_pickle(file: Path) -> set[str]:
    found: set[str] = set()

    class Reader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            found.add(module)
            known = super().find_class(module, name)
            if name != "subimport":
                return known

            def subimport(module: str) -> Any:
                found.add(module)
                return known(module)

            return subimport

    # the model that this very process has just written
    Reader(io.BytesIO(file.read_bytes())).load()
    return found


def _with_dependencies(named: set[str]) -> set[str]:
    """Top-level modules: of the packages that `named` belong to, and of those they depend on."""
    ours = {module.partition(".")[0] for module in named | {ALWAYS}}
    # MLflow has made it when it comes here, and nobody else knows it as quickly
    owners = requirements_utils._MODULES_TO_PACKAGES
    packages = {package for module in ours for package in owners.get(module, ())}
    needed = set()
    for package in packages:
        needed |= set(requirements_utils._get_requires_recursive(package))
    normal = requirements_utils._normalize_package_name
    return ours | {
        module
        for module, found in owners.items()
        if module in sys.modules and any(normal(package) in needed for package in found)
    }
