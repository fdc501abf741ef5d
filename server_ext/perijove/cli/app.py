"""The console script. It imports next to nothing: Ctrl-C while the program is imported has to find
somebody who answers it."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        from perijove.cli.program import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
