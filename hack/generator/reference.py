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
from pydantic_core import PydanticUndefinedType

from imagebuild.api import names, timespan
from imagebuild.api.config import OperatorConfig
from imagebuild.api.crd import crd
from imagebuild.api.pod import Resources
from imagebuild.api.spec import INPUTS, NEUTRAL
from imagebuild.contract.reasons import TABLE

Schema = dict[str, Any]

_INTRODUCTION = """\
# Reference

Of `imagebuild.dev/v1alpha1`. `kubectl explain imagebuild.spec.timeouts`, say, tells it from the cluster.

[Spec](#spec): {spec}.
[Status](#status). [Configuration](#configuration) of the operator. [Labels and annotations](#labels-and-annotations).
[Reasons](#reasons).

"""
_SPEC = """\
## Spec

No field has a default in the schema, so that what is in git and what is in the cluster stay equal; what the operator
uses where a field is not given is in `status.effective`. A change of a field with "yes" starts a new run. Every other
one applies to the next attempt and rebuilds nothing.

`[]` stands for each entry of a list, ≤ for the greatest length or number, and **must** for what must be given where the
field above it is. What breaks a rule the API server refuses, with these words. A time span is a number with a unit, or
several of them: `90s`, `1h30m`.

"""
_AFFINITY = "pod.affinity"
_AS_IN_A_POD = """\
As in a Pod, and under the same names.

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
build and end as it did: 1 the user's fault, 2 configuration, 3 infrastructure, 4 stopped, 5 too late.

"""


def reference() -> str:
    properties = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    spec, status = (dict(_nodes(properties[part])) for part in ("spec", "status"))
    sections = _sections(spec)
    return "".join(
        [
            _INTRODUCTION.format(spec=", ".join(f"[{name}](#{name.replace('.', '').lower()})" for name in sections)),
            _SPEC + "".join(f"- Rule: {rule}.\n" for rule in _rules(properties["spec"])) + "\n",
            *(_section(name, nodes) for name, nodes in sections.items()),
            _STATUS + _table(["field", "type", "meaning"], _status_rows(status)),
            _CONFIGURATION + _table(["key", "type", "default", "meaning"], _keys(OperatorConfig)),
            _NAMES + _table(["name", "where and what"], _names()),
            _REASONS + _table(["reason", "whose", "exit code", "meaning", "next step"], _reasons()).rstrip() + "\n",
        ]
    )


def _sections(nodes: Mapping[str, Schema]) -> dict[str, dict[str, Schema]]:
    """By the first field, and what is long and known from elsewhere by itself."""
    found: dict[str, dict[str, Schema]] = {}
    for path, node in nodes.items():
        section = _AFFINITY if path.startswith(_AFFINITY) else path.partition(".")[0].removesuffix("[]")
        found.setdefault(section, {})[path] = node
    return {name: found[name] for name in sorted(found, key=lambda name: name == _AFFINITY)}


def _section(name: str, nodes: Mapping[str, Schema]) -> str:
    rows = [[f"`{path}`", _limits(node), _rebuilds(path), _meaning(node)] for path, node in nodes.items()]
    head = ["field", "type and limits", "rebuilds", "meaning and rules"]
    return f"### {name}\n\n" + (_AS_IN_A_POD if name == _AFFINITY else "") + _table(head, rows)


def _status_rows(nodes: Mapping[str, Schema]) -> list[list[str]]:
    return [[f"`{path}`", _type(node), _meaning(node)] for path, node in nodes.items()]


def _nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every field with its path, objects before what they hold."""
    for name, node in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, {**node, _MUST: name in schema.get("required", ())}
        yield from _nodes(node, here)
        yield from _nodes(node.get("items", {}), f"{here}[]")


_MUST = "must be given"
"""In the copies that the tables are made of."""


def _limits(node: Schema) -> str:
    return _type(node) + (", **must**" if node[_MUST] else "")


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
        case "string" if any(_SPAN in rule for rule in _rules(node)):
            return "time span"
        case "string":
            return f"string{_limit(node, 'maxLength')}"
        case "boolean":
            return _WORDS[bool]
        case kind:
            least = f" ≥ {node['minimum']:,}" if "minimum" in node else ""
            return f"{kind}{least}{_limit(node, 'maximum')}"


def _limit(node: Schema, key: str) -> str:
    return f" ≤ {node[key]:,}" if key in node else ""


def _meaning(node: Schema) -> str:
    said = [node["description"].removesuffix(_COLUMN).strip()] if "description" in node else []
    parts = (node, node.get("items", {}), node.get("additionalProperties", {}))
    return _sentence(*said, *(f"Rule: {rule}." for part in parts for rule in _rules(part)))


def _rules(node: Schema) -> list[str]:
    return [rule["message"] for rule in node.get("x-kubernetes-validations", ())]


_SPAN = "must be a time span"
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
    kind = "time span" if _is_span(field.metadata) else _word(field.annotation)
    bounds = [
        f"{word} {getattr(bound, key)}" for bound in field.metadata for key, word in _BOUNDS if hasattr(bound, key)
    ]
    return " ".join([kind, *bounds])


_BOUNDS = (("ge", "≥"), ("le", "≤"))
_WORDS = {str: "string", bool: "true or false", int: "integer"}


def _is_span(metadata: Iterable[Any]) -> bool:
    return any(getattr(part, "func", None) is timespan.checked for part in metadata)


def _word(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        of, *metadata = get_args(annotation)
        return "time span" if _is_span(metadata) else _word(of)
    if get_origin(annotation) in (Union, UnionType):
        (given,) = (option for option in get_args(annotation) if option is not type(None))
        return _word(given)
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
        case Resources() as given if given != Resources():
            return f"requests {_plain(given.requests)}, limits {_plain(given.limits)}"
        case BaseModel():
            return ""  # the rows below have those of its fields
        case Enum() as word:
            return f"`{word.value}`"
        case None | () | "" | PydanticUndefinedType():
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
