"""``python -m perijove.hub``."""

from perijove.hub.main import main

raise SystemExit(main())
