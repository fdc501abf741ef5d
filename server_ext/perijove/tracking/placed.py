"""Artifacts of a job on the hub's own machine: put where the embedded server keeps them.

A copy is a tenth of the work of a request, for both sides, and a model is ten files. It is put
there only if it is certain to get the same name as over HTTP; all else, and what cannot be put
there, is sent, so that exceptions are the server's.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from typing import Any
from uuid import uuid4

from ..models.logged import ARTIFACTS_VARIABLE, URI_VARIABLE

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
PART = re.compile(r"\w[\w +,.=@-]*", re.ASCII)
"""A file or folder whose name means the same in an address."""
PARTIAL = ".artifact.uploading."
"""What the server calls files that are not complete; it does not list them."""
CHUNK = 1 << 20


def put(repository: Any, file: Any, path: Any = None) -> bool:
    """Store a file as ``repository.log_artifact`` does; False: that must do it."""
    folder, name = _folder(repository.artifact_uri, path), os.path.basename(file)
    return folder is not None and bool(PART.fullmatch(name)) and _copy(file, folder, name)


def _folder(uri: str, path: Any) -> str | None:
    root, server = os.environ.get(ARTIFACTS_VARIABLE), os.environ.get(URI_VARIABLE, "")
    base = f"{server.rstrip('/')}{PROXY}/"
    if not root or not uri.startswith(base):
        return None
    below = uri.removeprefix(base) + (f"/{os.fspath(path)}" if path else "")
    if not all(map(PART.fullmatch, below.split("/"))):
        return None
    folder = os.path.join(os.path.realpath(root), below)
    return folder if os.path.realpath(folder) == folder else None  # links are the server's to judge


def _copy(file: Any, folder: str, name: str) -> bool:
    partial = os.path.join(folder, f"{PARTIAL}{uuid4().hex}")
    try:
        with open(file, "rb") as source:
            os.makedirs(folder, exist_ok=True)
            with open(partial, "xb") as copy:
                shutil.copyfileobj(source, copy, CHUNK)
        os.replace(partial, os.path.join(folder, name))
    except OSError:
        with suppress(OSError):
            os.unlink(partial)
        return False
    return True
