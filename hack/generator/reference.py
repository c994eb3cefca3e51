"""docs/reference.md: every field, key, name and reason, from the code that defines them."""

from __future__ import annotations

import ast
import inspect
import itertools
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from imagebuild.api import names
from imagebuild.api.config import OperatorConfig
from imagebuild.api.crd import crd
from imagebuild.api.pod import Resources
from imagebuild.api.spec import INPUTS, NEUTRAL
from imagebuild.contract.reasons import TABLE

Schema = dict[str, Any]

_INTRODUCTION = """\
# Reference

Of `imagebuild.dev/v1alpha1`. `kubectl explain imagebuild.spec.timeouts`, say, tells it from the cluster.

"""
_SPEC = """\
## Spec

No field has a default in the schema, so that what is in git and what is in the cluster stay equal; what the operator
uses where a field is not given is in `status.effective`. A change of a field with "yes" starts a new run. Every other
one applies to the next attempt and rebuilds nothing.

"""
_STATUS = """\
## Status

Written by the operator alone. Times are RFC 3339, in UTC.

"""
_CONFIGURATION = """\
## Configuration

Of the operator: one YAML file, `config.yaml` in the ConfigMap `imagebuild-operator`. Unknown keys are refused. A
changed file is read again without a restart; a bad one is said in the log, and the one before stays in force.

"""
_NAMES = """\
## Labels and annotations

"""
_REASONS = """\
## Reasons

`status.reason`, and `failure.reason` where a build has failed. The exit code is for tools that wait for a
build and end as it did: 1 the user's fault, 2 configuration, 3 infrastructure, 4 stopped.

"""


def reference() -> str:
    properties = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    spec, status = (dict(_nodes(properties[part])) for part in ("spec", "status"))
    return "".join(
        [
            _INTRODUCTION,
            _SPEC + _table(["field", "type and limits", "rebuilds", "meaning and rules"], _spec_rows(spec)),
            _STATUS + _table(["field", "type", "meaning"], _status_rows(status)),
            _CONFIGURATION + _table(["key", "type", "default", "meaning"], _keys(OperatorConfig)),
            _NAMES + _table(["name", "where and what"], _names()),
            _REASONS + _table(["reason", "whose", "exit code", "meaning", "next step"], _reasons()).rstrip() + "\n",
        ]
    )


def _spec_rows(nodes: Mapping[str, Schema]) -> list[list[str]]:
    return [[f"`{path}`", _type(node), _rebuilds(path), _meaning(node)] for path, node in nodes.items()]


def _status_rows(nodes: Mapping[str, Schema]) -> list[list[str]]:
    return [[f"`{path}`", _type(node), _meaning(node)] for path, node in nodes.items()]


def _nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every field with its path, objects before what they hold."""
    for name, node in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, node
        yield from _nodes(node, here)
        yield from _nodes(node.get("items", {}), f"{here}[]")


def _type(node: Schema) -> str:  # noqa: PLR0911  a table
    if "enum" in node:
        return "one of " + ", ".join(f"`{word}`" for word in node["enum"])
    if node.get("x-kubernetes-int-or-string"):
        return "quantity" if "isQuantity" in str(node) else "integer or string"
    match node["type"]:
        case "array":
            return f"list{_limit(node, 'maxItems')} of {_type(node['items'])}"
        case "object" if "additionalProperties" in node:
            return f"map{_limit(node, 'maxProperties')} of {_type(node['additionalProperties'])}"
        case "string" if node.get("format") == "date-time":
            return "time"
        case "string":
            return f"string{_limit(node, 'maxLength')}"
        case kind:
            return str(kind)


def _limit(node: Schema, key: str) -> str:
    return f" ≤ {node[key]:,}" if key in node else ""


def _meaning(node: Schema) -> str:
    said = [node["description"].removesuffix(_COLUMN).strip()] if "description" in node else []
    rules = [rule["message"] for part in (node, node.get("items", {})) for rule in part.get(_RULES, ())]
    return _sentence(*said, *(f"Rule: {rule}." for rule in rules))


_RULES = "x-kubernetes-validations"
_COLUMN = "Build input: a change starts a new run."
"""What the reference has a column for."""


def _rebuilds(path: str) -> str:
    first, _, rest = path.replace("[]", "").partition(".")
    return "yes" if first in INPUTS and rest not in NEUTRAL.get(first, ()) else "no"


def _keys(model: type[BaseModel], prefix: str = "") -> list[list[str]]:
    rows = []
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        inner, listed = _model_of(field.annotation)
        rows.append([f"`{key}`", _kind(field), _default(field), _sentence(field.description or "")])
        if inner is not None:
            rows += _keys(inner, f"{key}{'[]' if listed else ''}.")
    return rows


def _model_of(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    for option in (annotation, *get_args(annotation)):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option, get_origin(annotation) is tuple
    return None, False


def _kind(field: FieldInfo) -> str:
    kind = _word(field.annotation)
    bounds = [
        f"{word} {getattr(bound, key)}" for bound in field.metadata for key, word in _BOUNDS if hasattr(bound, key)
    ]
    return " ".join([kind, *bounds])


_BOUNDS = (("ge", "≥"), ("le", "≤"))
_WORDS = {str: "string", bool: "true or false", int: "integer"}


def _word(annotation: Any) -> str:
    if get_origin(annotation) in (Union, UnionType):
        (given,) = (option for option in get_args(annotation) if option is not type(None))
        return _word(given)
    if get_origin(annotation) is Annotated:
        return _word(get_args(annotation)[0])
    if get_origin(annotation) is tuple:
        return f"list of {_word(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return "map of quantity"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "one of " + ", ".join(f"`{word.value}`" for word in annotation)
    return _WORDS.get(annotation, "object")


def _default(field: FieldInfo) -> str:  # noqa: PLR0911  a table
    if field.is_required():
        return "must be given"
    match field.default:
        case Resources() as given:
            return f"requests {_plain(given.requests)}, limits {_plain(given.limits)}"
        case BaseModel():
            return ""  # the rows below have those of its fields
        case Enum() as word:
            return f"`{word.value}`"
        case None | () | "":
            return ""
        case bool() as truth:
            return f"`{str(truth).lower()}`"
        case value:
            return f"`{value}`"


def _plain(amounts: Mapping[str, str] | None) -> str:
    return "`{" + ", ".join(f"{key}: {amount}" for key, amount in (amounts or {}).items()) + "}`"


def _names() -> Iterator[list[str]]:
    """The constants of api/names.py with the texts below them."""
    body = ast.parse(inspect.getsource(names)).body
    for line, said in itertools.pairwise(body):
        match line, said:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str() as text)):
                if name.startswith(("LABEL_", "ANNOTATION_")):
                    yield [f"`{getattr(names, name)}`", _sentence(text)]


def _reasons() -> Iterator[list[str]]:
    for reason, row in TABLE.items():
        code = "" if row.exit_code is None else str(row.exit_code)
        yield [f"`{reason.value}`", row.fault.value, code, row.sentence, row.next_step]


def _sentence(*parts: str) -> str:
    return " ".join(" ".join(part.split()) for part in parts if part).replace("|", "\\|")


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines) + "\n"
