"""What an API server does with a custom resource: it drops what the schema does not name and refuses what breaks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


def pruned(schema: Mapping[str, Any], value: Any, path: str = "status") -> Any:
    """Raises ValueError."""
    if not isinstance(value, _TYPES[schema["type"]]) or (isinstance(value, bool) and schema["type"] != "boolean"):
        raise ValueError(f"{path}: must be of type {schema['type']}: {value!r}")
    match value:
        case dict():
            return _pruned_object(schema, value, path)
        case list():
            if len(value) > schema.get("maxItems", len(value)):
                raise ValueError(f"{path}: must have at most {schema['maxItems']} items")
            return [pruned(schema["items"], item, f"{path}[{place}]") for place, item in enumerate(value)]
        case str() if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            raise ValueError(f"{path}: is too short or too long")
        case _:
            return value


def _pruned_object(schema: Mapping[str, Any], value: dict[str, Any], path: str) -> dict[str, Any]:
    if missing := set(schema.get("required", ())) - value.keys():
        raise ValueError(f"{path}: required value: {', '.join(sorted(missing))}")
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    return {
        key: pruned(known.get(key, others), item, f"{path}.{key}")
        for key, item in value.items()
        if key in known or others
    }
