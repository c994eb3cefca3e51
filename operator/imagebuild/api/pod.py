"""`spec.pod`: of the pod that builds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from imagebuild.api.affinity import Affinity
from imagebuild.api.model import Model, ObjectName, Quantity, rules

LABEL_KEY = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
_KEYS = f"self.all(key, size(key) <= 317 && key.matches('{LABEL_KEY}'))"
_LABEL_VALUES = "self.all(key, self[key].matches('^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$'))"


class Resources(Model):
    requests: Annotated[dict[str, Quantity] | None, Field(max_length=8)] = None
    """What the node sets aside: cpu, memory, ephemeral-storage. Default, where there is a limit: the limit."""
    limits: Annotated[dict[str, Quantity] | None, Field(max_length=8)] = None
    """What the build may use at most."""


class Toleration(Model):
    key: Annotated[str | None, Field(max_length=317)] = None
    """Of the taint. Default: any."""
    operator: Literal["Exists", "Equal"] | None = None
    """Default: Equal."""
    value: Annotated[str | None, Field(max_length=63)] = None
    """Of the taint, with Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Of the taint. Default: any."""
    toleration_seconds: Annotated[int | None, Field(ge=0, le=2**31 - 1)] = None
    """How long a taint with NoExecute is tolerated. Default: for ever."""


class PodSettings(Model):
    node_selector: Annotated[dict[str, Annotated[str, Field(max_length=63)]] | None, Field(max_length=16)] = None
    """Labels that the node of the build must have."""
    tolerations: Annotated[tuple[Toleration, ...] | None, Field(max_length=16)] = None
    """Taints of nodes that the build does not mind."""
    affinity: Affinity | None = None
    """To which nodes and pods the build wants to be near, and to which not."""
    resources: Resources | None = None
    """Of the build container; what is not given comes from the operator's configuration."""
    service_account_name: ObjectName | None = None
    """Whose rights and cloud identity the pod has, also at the registries of clouds; it gets no token of it. One that
    the administrator allows."""
    priority_class_name: ObjectName | None = None
    """One that the administrator allows."""
    runtime_class_name: ObjectName | None = None
    """One that the administrator allows."""
    labels: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]] | None,
        Field(
            max_length=16,
            json_schema_extra=rules(
                (_KEYS, "must be keys of labels such as team or example.com/team"),
                (_LABEL_VALUES, "values of labels have letters, digits, '-', '_' and '.'"),
            ),
        ),
    ] = None
    """Of the pod, such as kueue.x-k8s.io/queue-name; those that the administrator allows."""
    annotations: Annotated[
        dict[str, Annotated[str, Field(max_length=1024)]] | None,
        Field(
            max_length=16,
            json_schema_extra=rules((_KEYS, "must be keys of annotations such as team or example.com/team")),
        ),
    ] = None
    """Of the pod; those that the administrator allows."""
