"""The JSON schema of what `--json` writes: made from the record classes, so it cannot lag behind them."""

from __future__ import annotations

from typing import Any

from gilgen import store
from gilgen.model import Profile, Report, Survey

KINDS: tuple[type[Any], ...] = (Report, Survey, Profile)
"""The artefacts that `gilgen report` reads; `gilgen diagnose`, `gilgen survey` and `gilgen profile` write them."""


def schema() -> dict[str, Any]:
    """One schema for all of them, in JSON Schema's draft 2020-12."""
    definitions: dict[str, Any] = {}
    for kind in KINDS:
        definitions |= store.json_schema(kind)["$defs"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What gilgen measured",
        "description": "A file that gilgen diagnose, gilgen survey or gilgen profile wrote with --json.",
        "oneOf": [_envelope(kind.__name__) for kind in KINDS],
        "$defs": definitions,
    }


def _envelope(name: str) -> dict[str, Any]:
    """What `store.write` puts around a record."""
    properties = {
        "artefact": {"const": name},
        "schema": {"const": store.SCHEMA},
        "gilgen": {"type": "string", "description": "The version that wrote the file."},
        "data": {"$ref": f"#/$defs/{name}"},
    }
    return {"type": "object", "title": name, "properties": properties, "required": list(properties)}
