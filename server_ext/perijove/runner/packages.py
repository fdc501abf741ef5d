"""What is installed in an interpreter: asked once, kept with the run."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

ASK = (
    "import json; from importlib.metadata import distributions as d; "
    "print(json.dumps({x.metadata['Name']: x.version for x in d() if x.metadata['Name']}))"
)


@cache
def our_packages() -> dict[str, str]:
    """Package → version of this interpreter."""
    from importlib.metadata import distributions

    return {name: found.version for found in distributions() if (name := found.metadata["Name"])}


def packages_of(python: str) -> dict[str, str]:
    """Package → version of another interpreter; empty when it cannot be asked."""
    if python == sys.executable:
        return our_packages()
    try:
        done = subprocess.run(
            [python, "-c", ASK],
            capture_output=True,
            timeout=30,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        found: dict[str, str] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}
    return found
