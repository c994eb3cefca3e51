"""`spec.pod`: of the pod that builds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from imagebuild.api.model import Model, Quantity


class Resources(Model):
    requests: Annotated[dict[str, Quantity] | None, Field(max_length=8)] = None
    """What the node sets aside: cpu, memory, ephemeral-storage. Default, where there is a limit: the limit."""
    limits: Annotated[dict[str, Quantity] | None, Field(max_length=8)] = None
    """What the build may use at most."""


class PodSettings(Model):
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]] | None, Field(max_length=16)] = None
    """Labels that the node of the build must have."""
    resources: Resources | None = None
    """Of the build container; what is not given comes from the operator's configuration."""
