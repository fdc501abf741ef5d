"""What a kernel of an environment is started with, on the node it is started on."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from zmq import has

from perijove.errors import NotFound
from perijove.models.environments import EnvironmentSummary

BASE = "base"
"""The node's own Python."""
PYTHON = re.compile(r"^python(\d+(\.\d+)?)?$")
IPYKERNEL = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]


@dataclass
class Command:
    """A kernel's command line, with ``{connection_file}`` where that goes."""

    argv: list[str]
    environ: dict[str, str] = field(default_factory=dict)
    curve: bool = False
    """It can encrypt its channels."""

    @property
    def forkable(self) -> bool:
        """Is it plainly the ipykernel of this very interpreter? In doubt: no."""
        options = [part for part in self.argv[1:] if part != "-Xfrozen_modules=off"]
        return (
            sys.platform == "linux"
            and not self.environ
            and os.path.abspath(self.argv[0]) == os.path.abspath(sys.executable)
            and options == IPYKERNEL
        )


def argv_of(environment: str | None) -> Command:
    """The command of an environment: None or ``base``, a kernelspec's name, or the absolute path
    of a virtual one.

    Raises
    ------
    NotFound: there is no such environment here.
    """
    if environment in (None, BASE):
        return Command([sys.executable, *IPYKERNEL], curve=_encrypts())
    if str(environment).startswith("/"):
        return built(f"{environment}/bin/python")
    specs = _specs()
    if (found := specs.get(str(environment).lower())) is None:
        raise NotFound(
            f"There is no environment named {str(environment)[:80]!r} on this machine.",
            field="environment",
            remedy=f"Choose one of: {', '.join([BASE, *sorted(specs)])}.",
        )
    spec = found["spec"]
    places = {"resource_dir": found["resource_dir"], "prefix": sys.prefix}
    argv = [_filled(str(part), places) for part in spec["argv"]]
    if PYTHON.match(argv[0]):
        argv[0] = sys.executable  # as jupyter_client does
    encryption = (spec.get("metadata") or {}).get("supported_encryption") or ()
    return Command(
        argv,
        {name: os.path.expandvars(value) for name, value in (spec.get("env") or {}).items()},
        curve="curve" in encryption and has("curve"),
    )


def built(python: str) -> Command:
    """The command of an environment that was built, or of a virtual one.

    Raises
    ------
    NotFound: it is not there.
    """
    if not os.access(python, os.X_OK):
        raise NotFound(f"There is no {python} on this machine.", field="python")
    folder = Path(python).parent.parent
    return Command(
        [python, *IPYKERNEL], curve=_knows_curve(folder.glob("lib/python3*/site-packages"))
    )


def environments() -> list[EnvironmentSummary]:
    """What kernels can run in on this machine: ``base`` first, then the kernelspecs."""
    base = EnvironmentSummary(
        name=BASE, display_name=f"Python ({BASE})", language="python", warm=True
    )
    return [
        base,
        *(
            EnvironmentSummary(
                name=name,
                display_name=found["spec"].get("display_name", name),
                language=found["spec"].get("language", ""),
                interrupt_mode=found["spec"].get("interrupt_mode", "signal"),
                warm=argv_of(name).forkable,
            )
            for name, found in sorted(_specs().items())
        ),
    ]


def _specs() -> dict[str, dict[str, Any]]:
    """Kernelspecs that start a process here; those of other provisioners start it elsewhere."""
    from jupyter_client.kernelspec import KernelSpecManager  # 0.2 s, once

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Invalid kernelspec directory name")  # ours have an @
        found: dict[str, dict[str, Any]] = KernelSpecManager().get_all_specs()
    return {
        name.lower(): item
        for name, item in found.items()
        if item["spec"].get("argv")
        and "kernel_provisioner" not in (item["spec"].get("metadata") or {})
    }


@cache
def _encrypts() -> bool:
    """Does the installed ipykernel know CurveZMQ? Importing it would take long."""
    found = find_spec("ipykernel")
    folders = (found.submodule_search_locations or []) if found is not None else []
    return has("curve") and _knows_curve(Path(folder).parent for folder in folders)


def _knows_curve(packages: Iterable[Path]) -> bool:
    files = [folder / "ipykernel" / "kernelapp.py" for folder in packages]
    return any("curve_secretkey" in file.read_text() for file in files if file.is_file())


def _filled(text: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        text = text.replace(f"{{{name}}}", value)
    return text
