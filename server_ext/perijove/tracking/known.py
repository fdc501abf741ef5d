"""Makes MLflow's table of modules and their packages, for zygotes: the kernels that they fork
have it when a model is logged, and reading what is installed takes most of a second."""

from __future__ import annotations

from contextlib import suppress

with suppress(ImportError, AttributeError):
    from mlflow.utils import requirements_utils

    requirements_utils._init_modules_to_packages_map()
