"""Which MLflow our plug-ins are made for: an environment may have an older one."""

from __future__ import annotations

import re

from mlflow import version

OLDEST = (3, 17)


def is_known() -> bool:
    """Is it as new as the hub's own must be? If not, it is left as it is."""
    return tuple(map(int, re.findall(r"\d+", version.VERSION)[:2])) >= OLDEST
