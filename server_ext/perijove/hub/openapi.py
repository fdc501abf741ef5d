"""``python -m perijove.hub.openapi`` prints the hub's OpenAPI document."""

from __future__ import annotations

import json

from perijove.hub.app import create_app
from perijove.models.events import JobEvent

if __name__ == "__main__":
    document = create_app(None).openapi()
    # streams have no response model, but their lines have this shape
    schema = JobEvent.model_json_schema(ref_template="#/components/schemas/{model}")
    document["components"]["schemas"] |= schema.pop("$defs", {}) | {"JobEvent": schema}
    print(json.dumps(document, indent=2, sort_keys=True))
