"""The CRD made from the models: a structural schema with bounds, descriptions and rules that explain themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from imagebuild.api.crd import crd, structural
from imagebuild.api.spec import INPUTS, ImageBuildSpec

Schema = dict[str, Any]
SCHEMA: Schema = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
SPEC, STATUS = SCHEMA["properties"]["spec"], SCHEMA["properties"]["status"]


def walk(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")
    for key, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            yield from walk(schema[key], path + suffix)


IN_SPEC = dict(walk(SPEC, "spec"))
EVERYWHERE = {**IN_SPEC, **dict(walk(STATUS, "status"))}


def test_every_node_has_a_type_and_nothing_that_a_structural_schema_forbids() -> None:
    forbidden = {"$ref", "anyOf", "allOf", "title", "const", "$defs"}
    assert [path for path, node in EVERYWHERE.items() if forbidden & set(node)] == []
    typed = {"type", "x-kubernetes-int-or-string"}
    assert [path for path, node in EVERYWHERE.items() if not typed & set(node)] == []


def test_only_the_status_that_nobody_has_written_has_a_default() -> None:
    """One in the spec would be a difference to what is in git."""
    assert [path for path, node in EVERYWHERE.items() if "default" in node] == ["status"]


def test_every_string_list_and_map_of_the_spec_is_bounded() -> None:
    """Without bounds the API server cannot know what a rule costs, and refuses the CRD."""
    assert [path for path, node in IN_SPEC.items() if not bounded(node)] == []


def bounded(node: Schema) -> bool:
    bound = {"string": "maxLength", "array": "maxItems"}.get(node.get("type", ""))
    if "additionalProperties" in node:
        bound = "maxProperties"
    return bound is None or bound in node or "enum" in node


def test_every_rule_has_a_sentence_of_ours() -> None:
    rules = [rule for node in IN_SPEC.values() for rule in node.get("x-kubernetes-validations", ())]
    assert len(rules) > 10
    assert [rule for rule in rules if set(rule) != {"rule", "message"} or "\n" in rule["message"]] == []


def test_the_descriptions_say_which_fields_rebuild() -> None:
    sentence = "Build input: a change starts a new run."
    says_so = {name for name, node in SPEC["properties"].items() if sentence in node.get("description", "")}
    assert says_so == set(INPUTS)


def test_every_field_is_described() -> None:
    own = {path: node for path, node in EVERYWHERE.items() if path[-1] not in "]}"}
    assert [path for path, node in own.items() if path not in ("spec", "status") and not node.get("description")] == []


def test_inputs_are_fields_of_the_spec() -> None:
    assert set(INPUTS) <= set(ImageBuildSpec.model_fields)


def test_a_status_may_hold_words_of_a_newer_operator() -> None:
    assert not [path for path, node in EVERYWHERE.items() if path.startswith("status") and "enum" in node]


def test_conditions_are_a_map_by_type() -> None:
    conditions = STATUS["properties"]["conditions"]
    assert (conditions["x-kubernetes-list-type"], conditions["x-kubernetes-list-map-keys"]) == ("map", ["type"])


@pytest.mark.parametrize(
    "column",
    crd()["spec"]["versions"][0]["additionalPrinterColumns"],
    ids=lambda column: column["name"],
)
def test_every_column_shows_a_field_that_exists(column: Schema) -> None:
    path = column["jsonPath"].removeprefix(".").replace("[0]", "[]")
    assert path in EVERYWHERE or path == "metadata.creationTimestamp"


class Nullable(BaseModel):
    field: Annotated[str | None, Field(max_length=5)] = None


class Inner(BaseModel):
    """Of the model."""

    size: int


class Referring(BaseModel):
    model_config = {"use_attribute_docstrings": True}

    plain: Inner
    described: Inner | None = None
    """Of the field."""


class Union(BaseModel):
    either: int | str


class Constant(BaseModel):
    word: Literal["one"]


class Above(BaseModel):
    number: Annotated[int, Field(gt=2)]


@pytest.mark.parametrize(
    ("model", "name", "wanted"),
    [
        pytest.param(Nullable, "field", {"type": "string", "maxLength": 5}, id="what may be absent is simply optional"),
        pytest.param(
            Referring,
            "plain",
            {"type": "object", "description": "Of the model.", "required": ["size"]},
            id="a reference is put in its place",
        ),
        pytest.param(
            Referring,
            "described",
            {"type": "object", "description": "Of the field.", "required": ["size"]},
            id="a field's own description wins over its model's",
        ),
    ],
)
def test_pydantics_schema_becomes_structural(model: type[BaseModel], name: str, wanted: Schema) -> None:
    found = structural(model.model_json_schema())["properties"][name]
    assert {key: value for key, value in found.items() if key != "properties"} == wanted


def test_a_constant_is_a_choice_of_one() -> None:
    assert structural(Constant.model_json_schema())["properties"]["word"] == {"enum": ["one"], "type": "string"}


@pytest.mark.parametrize(
    ("model", "said"),
    [
        pytest.param(Union, ".either: a structural schema has one type", id="a union of two types"),
        pytest.param(Above, ".number: a structural schema has no 'exclusiveMinimum'", id="an open bound"),
    ],
)
def test_what_a_structural_schema_cannot_say_is_refused_by_path(model: type[BaseModel], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        structural(model.model_json_schema())
