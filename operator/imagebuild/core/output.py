"""`spec.output`: where the image goes."""

from __future__ import annotations

from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.status import Run
from imagebuild.contract import plan
from imagebuild.core.part import Part, PlanFields


def output(spec: ImageBuildSpec, run: Run, *, retried: bool = False) -> Part:
    """Fills {run}; the other placeholders are for the runner, who knows the commit."""
    images = tuple(image.replace("{run}", str(run.number)) for image in spec.output.images or ())
    if not images:
        return Part(plan=PlanFields(output=plan.Output()))
    if_exists = spec.output.if_exists or plan.IfExists.OVERWRITE
    wanted = plan.Output(images=images, if_exists=if_exists, inputs=run.inputs_hash, retried=retried)
    return Part(plan=PlanFields(output=wanted))


def repository(image: str) -> str:
    """`registry:5000/app:tag` → `registry:5000/app`."""
    head, slash, last = image.rpartition("/")
    return head + slash + last.partition(":")[0]
