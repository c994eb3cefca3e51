"""The base of all models, and the short ways to say in a field what the CRD's schema must hold.

Limits are in the schema so that the API server refuses bad input at once, and so that the cost of CEL rules is bounded.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from imagebuild.api import quantity, timespan


class Model(BaseModel):
    """Frozen, camelCase outside; attribute docstrings are the descriptions in the CRD."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True, extra="ignore"
    )


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """CEL rules with the sentence a user reads when one does not hold."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


def text(limit: int, *pairs: tuple[str, str]) -> Any:
    """Of a string field: its greatest length, and CEL rules on it (`self` is the string)."""
    return Field(min_length=1, max_length=limit, json_schema_extra=rules(*pairs) if pairs else None)


ObjectName = Annotated[
    str,
    text(
        253,
        (
            "self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
            "must be the name of an object: lower-case letters, digits, '-' and '.'",
        ),
    ),
]


class SecretReference(Model):
    name: ObjectName
    """Of the Secret. It may appear later: the build waits for it."""


RelativePath = Annotated[
    str,
    text(
        1024,
        ("!self.startsWith('/')", "must be relative: a path inside the source does not begin with '/'"),
        ("!self.split('/').exists(part, part == '..')", "must stay inside the source: '..' is not allowed"),
    ),
]

Quantity = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    AfterValidator(quantity.checked),
    Field(
        max_length=64,
        json_schema_extra={
            "x-kubernetes-int-or-string": True,
            **rules(("isQuantity(string(self))", "must be a Kubernetes quantity such as 500m or 4Gi")),
        },
    ),
]

Duration = Annotated[
    str,
    AfterValidator(timespan.checked),
    text(
        32,
        (
            r"self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) > duration('0s')",
            "must be a time span such as 90s, 30m or 2h",
        ),
    ),
]

_REF_NAME = (
    r"self.matches('^[^-\\s~^:?*\\[\\\\{}][^\\s~^:?*\\[\\\\{}]*$') && self != '@'"
    " && !self.contains('..') && !self.endsWith('/')"
)
GitRefName = Annotated[str, text(255, (_REF_NAME, "must be a name that git accepts"))]
