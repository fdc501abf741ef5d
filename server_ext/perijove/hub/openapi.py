"""``python -m perijove.hub.openapi`` prints the hub's OpenAPI document."""

from __future__ import annotations

import json

from perijove.hub.app import create_app
from perijove.models.events import JobEvent, TrackingChange

if __name__ == "__main__":
    document = create_app(None).openapi()
    # streams have no response model, but their lines have this shape
    for shape in (JobEvent, TrackingChange):
        schema = shape.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas = schema.pop("$defs", {}) | {shape.__name__: schema}
        document["components"]["schemas"] |= schemas
    print(json.dumps(document, indent=2, sort_keys=True))
