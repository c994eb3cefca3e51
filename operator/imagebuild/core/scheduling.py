"""`spec.pod`: who takes the build pod, under which name it counts there, and how much it gets."""

from __future__ import annotations

from collections.abc import Mapping

from imagebuild.api.config import OperatorConfig
from imagebuild.api.pod import PodSettings, Resources
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.core.part import Manifest
from imagebuild.core.quantity import at_most

Marks = dict[str, dict[str, str]]
"""Labels and annotations, under these two words."""


def scheduling(spec: ImageBuildSpec) -> Manifest:
    """Fields of the pod's spec, as the user wrote them; core/policy.py has looked at them."""
    settings = spec.pod or PodSettings()
    wanted = {"node_selector", "tolerations", "affinity", "service_account_name", "priority_class_name"}
    written = settings.model_dump(
        mode="json", by_alias=True, exclude_none=True, include={*wanted, "runtime_class_name"}
    )
    return {key: value for key, value in written.items() if value}


def marks(spec: ImageBuildSpec) -> Marks:
    """Labels and annotations of the pod."""
    settings = spec.pod or PodSettings()
    return {"labels": dict(settings.labels or {}), "annotations": dict(settings.annotations or {})}


def resources(spec: ImageBuildSpec, config: OperatorConfig) -> Manifest:
    """The user's amounts over the operator's. A limit without a request is the request, too; a request without a limit
    has none, since the operator's own could be lower, and the API server would refuse the pod. Where there is a maximum
    it is the limit then."""
    asked = (spec.pod.resources if spec.pod else None) or Resources()
    requests = {**(config.pod.resources.requests or {}), **(asked.limits or {}), **(asked.requests or {})}
    limits = {**_unless(config.pod.resources.limits, asked.requests), **(asked.limits or {})}
    most = config.maxima.resources
    bounded = at_most({**most, **limits}, most)
    return {"requests": at_most(requests, most), **({"limits": bounded} if bounded else {})}


def _unless(amounts: Mapping[str, str] | None, others: Mapping[str, str] | None) -> dict[str, str]:
    return {key: each for key, each in (amounts or {}).items() if key not in (others or {})}
