"""Makes MLflow's tables of modules, packages and their dependencies, for zygotes: the kernels that
they fork have them when a model is logged, and reading what is installed takes most of a second."""

from __future__ import annotations

from contextlib import suppress

PACKAGES = ("cloudpickle", "numpy", "pandas", "scikit-learn", "scipy", "skops")

with suppress(ImportError, AttributeError):
    from mlflow.utils import requirements_utils

    from perijove.tracking.requirements import ASKED, remembered

    requirements_utils._init_modules_to_packages_map()
    for name in ASKED:
        setattr(requirements_utils, name, remembered(getattr(requirements_utils, name)))
    requirements_utils._prune_packages(["mlflow", *PACKAGES])
    for package in PACKAGES:
        with suppress(Exception):  # it is not installed
            for module in (None, requirements_utils._PACKAGES_TO_MODULES.get(package)):
                requirements_utils._get_installed_version(package, module)
