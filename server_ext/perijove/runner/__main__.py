"""``python -m perijove.runner ATTEMPT_FOLDER``: a runner started the ordinary way."""

from __future__ import annotations

import sys
from pathlib import Path

from perijove.runner import state  # noqa: F401 - notes what this process looks like, first of all

if __name__ == "__main__":
    from perijove.runner.attempt import end_process, run_attempt
    from perijove.runner.lean import import_papermill

    import_papermill()
    run_attempt(Path(sys.argv[1]), warm=False)
    end_process()
