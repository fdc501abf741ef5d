"""What a hub finds before it starts: its workspace's lock, configuration and keys, and its own
parts' versions."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

import yaml
from pydantic import ValidationError

from perijove import __version__
from perijove.errors import InvalidInput
from perijove.models.workspaces import WorkspaceConfig, WorkspaceFolder
from perijove.writing import replace_file


def lock(folder: WorkspaceFolder) -> int | None:
    """The workspace's lock as a descriptor to keep; None: another hub has it."""
    folder.root.mkdir(parents=True, exist_ok=True)
    folder.root.chmod(0o700)
    descriptor = os.open(folder.hub_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def read_config(folder: WorkspaceFolder) -> WorkspaceConfig:
    """``config.yaml``, or the defaults.

    Raises
    ------
    InvalidInput: it has an unknown key or a value that breaks a rule.
    """
    try:
        data = yaml.safe_load(folder.config.read_text("utf-8"))
    except FileNotFoundError:
        data = None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())  # the last line of the log is what is shown
        raise InvalidInput(f"{folder.config} is no valid YAML: {said}") from None
    data = data or {}
    uri = os.environ.get("PERIJOVE_TRACKING_URI")
    if uri and isinstance(data, dict) and data.get("tracking_uri") is None:
        data["tracking_uri"] = uri
    try:
        return WorkspaceConfig.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InvalidInput(f"{folder.config}: {field}: {first['msg']}", field=field) from None


def read_secrets(folder: WorkspaceFolder) -> dict[str, str]:
    """The owner's token and the signing key; made on first use."""
    with suppress(FileNotFoundError, ValueError):
        found: dict[str, str] = json.loads(folder.secrets.read_text())
        return found
    made = {"token": secrets.token_urlsafe(32), "signing_key": secrets.token_urlsafe(32)}
    replace_file(folder.secrets, json.dumps(made))
    return made


def versions() -> dict[str, str]:
    """The versions of what matters in a bug report."""
    found = {"perijove": __version__, "python": sys.version.split()[0]}
    for name in ("mlflow", "papermill", "ipykernel", "jupyterlab"):
        with suppress(PackageNotFoundError):
            found[name] = _version(name)
    return found


_versions: dict[str, str] = {}


def _version(name: str) -> str:
    if name not in _versions:
        _versions[name] = version(name)
    return _versions[name]
