"""From a path as a user types it to the (root, path) pair the hub takes."""

from __future__ import annotations

import os
from pathlib import Path

from perijove.errors import InvalidInput


def locate(path: str | Path) -> tuple[str, str]:
    """(root, path below it): the root is the git work tree around the file, else its folder.

    Raises
    ------
    InvalidInput: there is no such file.
    """
    file = Path(path).expanduser().absolute()
    if "PERIJOVE_JOB_ID" in os.environ and file.is_symlink():
        file = file.resolve()  # in a job, what lies beside the notebook is a link
    folder: Path | None
    try:
        folder = file.parent.resolve(strict=True)
    except (OSError, RuntimeError):
        folder = None
    if folder is None or not (folder / file.name).exists():
        raise InvalidInput(f"{path} does not exist.", field="path", remedy="Check the path.")
    home = Path.home()
    for parent in (folder, *folder.parents):
        if (parent / ".git").exists() and parent != home:
            return str(parent), (folder / file.name).relative_to(parent).as_posix()
    return str(folder), file.name
