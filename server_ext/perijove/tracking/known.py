"""Makes MLflow's tables of modules, packages and their dependencies, for zygotes: the kernels that
they fork have them when a model is logged, and reading what is installed takes most of a second.
So has narwhals, which scikit-learn asks what a table is, its list of plugins."""

from __future__ import annotations

from contextlib import suppress

from mlflow.utils import requirements_utils

from perijove.tracking.requirements import ASKED, remembered

PACKAGES = ("cloudpickle", "numpy", "pandas", "scikit-learn", "scipy", "skops")

with suppress(AttributeError):
    requirements_utils._init_packages_to_modules_map()
    for name in ASKED:
        setattr(requirements_utils, name, remembered(getattr(requirements_utils, name)))
    requirements_utils._prune_packages(["mlflow", *PACKAGES])
    for package in PACKAGES:
        with suppress(Exception):  # it is not installed
            for module in (None, requirements_utils._PACKAGES_TO_MODULES.get(package)):
                requirements_utils._get_installed_version(package, module)

with suppress(ImportError, AttributeError):
    from narwhals import plugins

    discover = remembered(plugins._discover_entrypoints.__wrapped__)
    plugins._discover_entrypoints = discover  # type: ignore[assignment]
    plugins._discover_entrypoints()
