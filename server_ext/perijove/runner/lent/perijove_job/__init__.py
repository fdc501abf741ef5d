"""Our MLflow plug-ins in a Python that has nothing of ours: an environment's own.

The folder above is put at the end of its path. There MLflow finds the entry points, and here, under
another name, the modules that they need; so `import perijove` means what it means without us. Those
modules import each other relatively, and nothing else but mlflow and what comes with it.
"""

import os

__path__ = [os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3))]
