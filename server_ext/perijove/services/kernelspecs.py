"""Kernelspecs: those that Jupyter finds on this machine, and those written for environments."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

FRESH = 5.0
"""Seconds for which a look at the kernelspecs is believed."""
KERNELS, KERNEL = "kernels", "kernel.json"
_PATH_KERNEL = re.compile(r"path\.[0-9a-f]{16}")


class Kernelspecs:
    """What Jupyter's kernelspec manager finds on this machine."""

    def __init__(self, warm_start: bool) -> None:
        self._warm_start = warm_start
        self._specs: dict[str, dict[str, Any]] = {}
        self._looked = float("-inf")

    def all(self, fresh: bool = False) -> Mapping[str, dict[str, Any]]:
        """Name → specification, by name."""
        if fresh or time.monotonic() - self._looked > FRESH:
            from jupyter_client.kernelspec import KernelSpecManager  # 0.2 s, once

            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Invalid kernelspec directory name")
                found = KernelSpecManager().get_all_specs()
            # those of instances are for people at a notebook; a job says itself where it runs
            self._specs = {
                name: info["spec"] for name, info in sorted(found.items()) if "@" not in name
            }
            self._looked = time.monotonic()
        return self._specs

    def has(self, name: str) -> bool:
        """Is there one of this name?"""
        return name in self.all() or name in self.all(fresh=True)

    def is_warm(self, spec: Mapping[str, Any]) -> bool:
        """Are its kernels forked from the hub's own zygote?"""
        interpreter = interpreter_of(spec)
        return self._warm_start and interpreter == os.path.abspath(sys.executable)


def interpreter_of(spec: Mapping[str, Any]) -> str | None:
    """The Python of a kernelspec; None: it is of another language, or starts something else."""
    program = str((spec.get("argv") or [""])[0])
    if spec.get("language") != "python":
        return None
    if program in ("python", "python3"):
        return os.path.abspath(sys.executable)  # jupyter_client does the same replacement
    return os.path.abspath(program) if os.path.isabs(program) else None


class KernelFolder:
    """The kernelspecs of environments, for runners and whoever has `root` in JUPYTER_PATH.

    ``geo.2`` is version 2 of the environment *geo*, ``geo`` its latest version that is ready, and
    ``path.…`` a virtual environment that was named by its path.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, python: str, display_name: str) -> None:
        """Make or replace a kernelspec."""
        folder = self.root / KERNELS / name
        text = json.dumps(
            {
                "argv": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                "display_name": display_name,
                "language": "python",
                "metadata": {"debugger": True},
            },
            indent=1,
        )
        with suppress(OSError):
            if (folder / KERNEL).read_text() == text:
                return
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{KERNEL}"
        partial.write_text(text)
        partial.replace(folder / KERNEL)

    def write_path(self, environment: str) -> str:
        """Make the kernelspec of a virtual environment at this path; its name."""
        name = f"path.{hashlib.sha256(environment.encode()).hexdigest()[:16]}"
        self.write(name, f"{environment}/bin/python", Path(environment).name)
        return name

    def keep(self, names: Collection[str]) -> None:
        """Remove what is neither named here nor of a path."""
        with suppress(FileNotFoundError):
            for name in os.listdir(self.root / KERNELS):
                if name not in names and not _PATH_KERNEL.fullmatch(name):
                    shutil.rmtree(self.root / KERNELS / name, ignore_errors=True)
