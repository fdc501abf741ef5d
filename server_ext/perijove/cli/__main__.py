"""``python -m perijove.cli``."""

from perijove.cli.app import main

main()
