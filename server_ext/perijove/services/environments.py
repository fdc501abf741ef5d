"""Environments: the kernelspecs that jobs can run in."""

from __future__ import annotations

import os
import sys
import time
import warnings
from typing import Any

from perijove.errors import NotFound
from perijove.models.notebooks import EnvironmentSummary

FRESH = 5.0
"""Seconds for which a look at the kernelspecs is believed."""


class Environments:
    """What Jupyter's kernelspec manager finds on this machine."""

    def __init__(self, warm_start: bool) -> None:
        self._warm_start = warm_start
        self._specs: dict[str, dict[str, Any]] = {}
        self._looked = float("-inf")

    def names(self) -> list[str]:
        return sorted(self._find())

    def check(self, name: str) -> None:
        """Raises NotFound when there is no such kernelspec."""
        if name not in self._find() and name not in self._find(fresh=True):
            raise NotFound(
                f"There is no kernel named {name[:80]!r} on this machine.",
                field="environment",
                remedy=f"Choose one of: {', '.join(self.names()) or 'none is installed'}.",
            )

    def list(self) -> list[EnvironmentSummary]:
        """All kernelspecs, by name."""
        return [
            EnvironmentSummary(
                name=name,
                display_name=spec.get("display_name", name),
                language=spec.get("language", ""),
                warm=self._warm_start and _is_our_python(spec),
            )
            for name, spec in sorted(self._find().items())
        ]

    def _find(self, fresh: bool = False) -> dict[str, dict[str, Any]]:
        if fresh or time.monotonic() - self._looked > FRESH:
            from jupyter_client.kernelspec import KernelSpecManager  # 0.2 s, once

            with warnings.catch_warnings():
                # those of instances have an @
                warnings.filterwarnings("ignore", "Invalid kernelspec directory name")
                found = KernelSpecManager().get_all_specs()
            self._specs = {name: info["spec"] for name, info in found.items()}
            self._looked = time.monotonic()
        return self._specs


def _is_our_python(spec: dict[str, Any]) -> bool:
    argv = spec.get("argv") or [""]
    program = str(argv[0])
    return spec.get("language") == "python" and (
        program in ("python", "python3")
        or os.path.abspath(program) == os.path.abspath(sys.executable)
    )
