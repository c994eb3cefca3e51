"""The trace of a run: which one it is, and what the pod is told of it."""

from __future__ import annotations

from imagebuild.api.config import OperatorConfig
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.status import ImageBuildStatus, Run, TraceStatus
from imagebuild.contract.spans import Parent, Tracing, span_id, trace_id
from imagebuild.core.part import Part, PlanFields


def url(config: OperatorConfig) -> str | None:
    """Where spans go; None: nowhere. `config`: as in force for the build."""
    return f"{config.tracing.endpoint}/v1/traces" if config.tracing.endpoint else None


def trace(build: ImageBuild, status: ImageBuildStatus, config: OperatorConfig) -> TraceStatus | None:
    """Of the run that the status is about, and the same from its first attempt to its end. Whoever began the trace may
    have decided that it is not kept; then there is none here either."""
    begun = status.trace is not None or status.attempt
    if begun or status.run is None or not config.tracing.endpoint:
        return status.trace
    given = build.trace_parent
    if given is not None and not given.sampled:
        return None
    found = given.trace if given else trace_id(build.uid, status.run.number)
    link = config.tracing.link.replace("{traceID}", found) if config.tracing.link else None
    return TraceStatus(id=found, parent=given.span if given else None, link=link)


def tracing(build: ImageBuild, run: Run, attempt: int, config: OperatorConfig, known: TraceStatus | None) -> Part:
    """`config`: as `lowered` gives it, without a collector for builds that are not trusted."""
    where = url(config)
    if where is None or known is None:
        return Part()
    under = Parent(known.id, span_id(build.uid, run.number, attempt))
    about = tuple(f"{key}={value}" for key, value in resource(build, run).items())
    return Part(plan=PlanFields(tracing=Tracing(url=where, parent=str(under), resource=about)))


def resource(build: ImageBuild, run: Run) -> dict[str, str]:
    """What each span of the run is about."""
    return {
        "k8s.namespace.name": build.namespace,
        "cicd.pipeline.name": f"{build.namespace}/{build.name}",
        "cicd.pipeline.run.id": f"{build.uid}/{run.number}",
    }
