"""The REST reference, from openapi.json."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

HEAD = """# REST

Every face of Perijove speaks this interface: the hub's, on loopback, with
`Authorization: Bearer TOKEN` (`perijove up --json` tells address and token), and through the
Jupyter server below `<base>/perijove/api/`, with Jupyter's own login. A refusal is
`{"error": {"code", "message", "field", "remedy"}}`. The same for programs: `openapi.json` in the
repository.
"""


def write(source: Path, target: Path) -> None:
    """Write the page `target` from the OpenAPI document `source`, if it changes."""
    text = page(json.loads(source.read_text()))
    if not target.exists() or target.read_text() != text:
        target.write_text(text)


def page(document: dict[str, Any]) -> str:
    """The document as Markdown: a section a tag, then the shapes."""
    sections: dict[str, list[str]] = defaultdict(list)
    for path, verbs in document["paths"].items():
        for verb, route in verbs.items():
            sections[route["tags"][0]].append(_route(verb, path, route))
    parts = [HEAD]
    for tag, routes in sorted(sections.items()):
        parts += [f"## {tag.capitalize()}\n", *routes]
    parts.append("## Shapes\n")
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts.append(_shape(name, schema))
    return "\n".join(parts)


def _route(verb: str, path: str, route: dict[str, Any]) -> str:
    lines = [f"### `{verb.upper()} {path}`\n", route.get("description", "") + "\n"]
    for parameter in route.get("parameters", []):
        lines.append(_field(parameter["name"], parameter["schema"], parameter, parameter["in"]))
    for kind, body in route.get("requestBody", {}).get("content", {}).items():
        lines.append(f"- body: {_type(body.get('schema', {})) or f'`{kind}`'}")
    for status, answer in sorted(route["responses"].items()):
        if status.startswith("2"):
            content = answer.get("content", {})
            said = [_type(one.get("schema", {})) or f"`{kind}`" for kind, one in content.items()]
            lines.append(f"- answer {status}: {', '.join(said) or 'nothing'}")
    return "\n".join(lines) + "\n"


def _shape(name: str, schema: dict[str, Any]) -> str:
    lines = [f"(shape-{name.lower()})=", f"### {name}\n"]
    if text := schema.get("description"):
        lines.append(_plain(text) + "\n")
    if "enum" in schema:
        lines.append("One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".")
    required = schema.get("required", [])
    for field, about in schema.get("properties", {}).items():
        lines.append(_field(field, about, {"required": field in required}))
    return "\n".join(lines) + "\n"


def _field(name: str, schema: dict[str, Any], about: dict[str, Any], where: str = "") -> str:
    notes = [word for word in (where, "required" if about.get("required") else "") if word]
    if schema.get("default") not in (None, "", [], {}):
        notes.append(f"default `{json.dumps(schema['default'])}`")
    said = _plain(about.get("description") or schema.get("description") or "")
    kind = _type(schema) or "anything"
    note = f" ({', '.join(notes)})" if notes else ""
    return f"- `{name}`: {kind}{note}" + (f": {said}" if said else "")


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#shape-{name.lower()})"
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(dict.fromkeys(_type(one) or "anything" for one in schema[union]))
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    kind = str(schema.get("type", ""))
    if kind == "array":
        return f"list of {_type(schema.get('items', {})) or 'anything'}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties']) or 'anything'}"
    if form := schema.get("format"):
        return f"{kind} ({form})"
    return kind


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "`").split()).replace("<", "\\<")
