"""The CustomResourceDefinition, made from the models. `hack/generate` writes it to crds/.

pydantic emits JSON Schema; Kubernetes wants structural schemas. The difference is: references inlined, `X | None` as an
absent X, no `title`, no `default`, no `additionalProperties: false`. What this converter does not know it refuses.
"""

from __future__ import annotations

from typing import Any

from imagebuild.api.names import GROUP, KIND, PLURAL, VERSION
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.status import ImageBuildStatus

Schema = dict[str, Any]

_DROPPED = {"title", "default", "$defs"}
_KEPT = {
    "type", "description", "enum", "format", "pattern", "required",
    "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minimum", "maximum",
}  # fmt: skip

COLUMNS = (
    ("Phase", "string", ".status.phase", 0),
    ("Reason", "string", ".status.reason", 0),
    ("Image", "string", ".status.output.images[0]", 0),
    ("Cached", "string", ".status.cache.summary", 0),
    ("Duration", "string", ".status.duration", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Digest", "string", ".status.output.digest", 1),
    ("Commit", "string", ".status.source.commit", 1),
    ("Message", "string", ".status.message", 1),
)

UNSEEN = {"observedGeneration": -1}
"""What the API server shows as the status of what no operator has seen: without any status it would be done for
kstatus, and so for Flux. Nothing else has a default: one in the spec is a difference to what is in git."""


def crd() -> dict[str, Any]:
    """The whole document."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["ib"],
                "categories": ["all"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": name, "type": kind, "jsonPath": path, "priority": priority}
                        for name, kind, path, priority in COLUMNS
                    ],
                    "schema": {"openAPIV3Schema": _schema()},
                }
            ],
        },
    }


def _schema() -> Schema:
    return {
        "type": "object",
        "description": "An image to build, and what came out.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(ImageBuildSpec.model_json_schema()),
            "status": {**_open(structural(ImageBuildStatus.model_json_schema())), "default": UNSEEN},
        },
    }


def _open(schema: Any) -> Any:
    """Without `enum`: a newer operator may write a word into the status that an older CRD has never heard of."""
    if isinstance(schema, dict):
        return {key: _open(value) for key, value in schema.items() if key != "enum" or not isinstance(value, list)}
    return schema


def structural(document: Schema) -> Schema:
    """A JSON Schema of pydantic's as a structural schema; raises ValueError for what it cannot say."""
    return _convert(document, document.get("$defs", {}), "")


def _convert(schema: Schema, definitions: dict[str, Schema], path: str) -> Schema:
    if "$ref" in schema:
        target = definitions[schema["$ref"].removeprefix("#/$defs/")]
        return _convert({**target, **{key: value for key, value in schema.items() if key != "$ref"}}, definitions, path)
    if "anyOf" in schema:
        given, *others = (option for option in schema["anyOf"] if option != {"type": "null"})
        if others:
            raise ValueError(f"{path}: a structural schema has one type for a field; give it a model of its own")
        siblings = {key: value for key, value in schema.items() if key != "anyOf"}
        return _convert({**given, **siblings}, definitions, path)
    converted: Schema = {}
    for key, value in schema.items():
        converted |= _keyword(key, value, definitions, path)
    if converted.get("x-kubernetes-int-or-string"):
        for key in ("type", "maxLength", "minLength"):
            converted.pop(key, None)
    return converted


def _keyword(key: str, value: Any, definitions: dict[str, Schema], path: str) -> Schema:
    match key:
        case _ if key in _DROPPED:
            return {}
        case _ if key in _KEPT or key.startswith("x-kubernetes-"):
            return {key: value}
        case "const":
            return {"enum": [value]}
        case "properties":
            return {key: {name: _convert(item, definitions, f"{path}.{name}") for name, item in value.items()}}
        case "items" | "additionalProperties":
            return {key: _convert(value, definitions, f"{path}[]")}
        case _:
            raise ValueError(f"{path}: a structural schema has no {key!r}; say it another way in the model")
