"""`spec.output`: where the image goes."""

from __future__ import annotations

from collections.abc import Iterator

from imagebuild.api.output import Output
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.status import Run
from imagebuild.contract import plan
from imagebuild.core.attestations import attested
from imagebuild.core.part import Part, PlanFields


def output(spec: ImageBuildSpec, run: Run, *, retried: bool = False) -> Part:
    """Fills {run}; the other placeholders are for the runner, who knows the commit."""
    labels = tuple(word for pair in sorted((spec.output.labels or {}).items()) for word in ("--opt", _label(*pair)))
    images = tuple(image.replace("{run}", str(run.number)) for image in spec.output.images or ())
    if not images:
        return Part(plan=PlanFields(output=plan.Output()), args=labels)
    if_exists = spec.output.if_exists or plan.IfExists.OVERWRITE
    wanted = plan.Output(
        images=images,
        attributes=tuple(_attributes(spec.output)),
        if_exists=if_exists,
        inputs=run.inputs_hash,
        retried=retried,
    )
    return Part(plan=PlanFields(output=wanted), args=labels)


def _label(key: str, value: str) -> str:
    return f"label:{key}={value}"


def _attributes(wanted: Output) -> Iterator[str]:
    """Of BuildKit's image exporter."""
    if wanted.compression is not None:
        yield f"compression={wanted.compression.type.lower()}"
        if wanted.compression.level is not None:
            yield f"compression-level={wanted.compression.level}"
    for key, value in sorted((wanted.annotations or {}).items()):
        yield f"annotation.{key}={value}"
        if attested(wanted):
            yield f"annotation-index.{key}={value}"


def repository(image: str) -> str:
    """`registry:5000/app:tag` → `registry:5000/app`."""
    head, slash, last = image.rpartition("/")
    return head + slash + last.partition(":")[0]
