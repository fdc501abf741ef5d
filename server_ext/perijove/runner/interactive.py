"""An interactive kernel, forked from a zygote: an ordinary ipykernel that nobody's end ends.

Its folder holds its connection file and what it needs to know (`perijove.models.kernels`).
"""

from __future__ import annotations

import atexit
import os
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from perijove.models.kernels import CONNECTION_FILE, LAUNCH, LOG, PROCESS, KernelLaunch
from perijove.models.processes import current_process
from perijove.runner.forking import leave, raw
from perijove.runner.kernelapp import initialized
from perijove.runner.state import restore, restore_pools
from perijove.writing import replace_file


def run_kernel(folder: Path) -> NoReturn:
    """Be the kernel of this folder; the process is a fork that leads its session already."""
    code = 1
    try:
        # first of all, so that it is found again whoever ends now
        replace_file(folder / PROCESS, current_process().model_dump_json())
        launch = KernelLaunch.model_validate_json((folder / LAUNCH).read_text())
        _redirect(folder / LOG)
        restore(launch.environ)
        restore_pools(launch.environ)
        os.chdir(launch.cwd)
        app = initialized(str(folder / CONNECTION_FILE), parent=0, job=False)
        app.start()
        code = 0
        # see `perijove.runner.kernel`: closing in order may wait 10 s for nothing
        atexit.unregister(app.close)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
    except BaseException:
        os.write(raw(2, sys.stderr), traceback.format_exc().encode())
    finally:
        leave(code)


def _redirect(log: Path) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(output)
    os.close(null)
