"""`spec.cache.volume`: a claim for BuildKit's state, or a template of claims that the operator keeps."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict

from imagebuild.api.model import Model, ObjectName, Quantity, rules, text


class ClaimTemplate(Model):
    """The operator makes one claim for each key and size, when the first build needs it, where the administrator
    allows that. No ImageBuild owns it: it stays for the next one, until it has not been used for long."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!isQuantity(string(self.size)) || quantity(string(self.size)).isGreaterThan(quantity('0'))",
                "size must be more than nothing",
            )
        )
    )

    size: Quantity
    """How much the claim asks for, such as 20Gi."""
    storage_class_name: ObjectName | None = None
    """Of a kind that the administrator allows. Default: the cluster's default class."""
    key: Annotated[str | None, text(128)] = None
    """Any word; builds of the namespace with the same word share a claim. Default: builds of the same source, branch,
    Dockerfile and target do; without a source, those of this ImageBuild."""


class CacheVolume(Model):
    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "has(self.claimName) != has(self.template)",
                "give claimName for a claim of yours, or template for one that the operator keeps",
            )
        )
    )

    claim_name: ObjectName | None = None
    """Of a PersistentVolumeClaim in the build's namespace, used by one build at a time: others of it wait."""
    template: ClaimTemplate | None = None
    """Of claims that the operator makes and keeps from build to build, each used by one build at a time."""
