"""`spec.output`: where the image goes."""

from __future__ import annotations

from imagebuild.api.spec import ImageBuildSpec
from imagebuild.contract import plan
from imagebuild.core.part import Part, PlanFields


def output(spec: ImageBuildSpec, run: int) -> Part:
    """Fills {run}; the other placeholders are for the runner, who knows the commit."""
    images = tuple(image.replace("{run}", str(run)) for image in spec.output.images or ())
    return Part(plan=PlanFields(output=plan.Output(images=images)))


def repository(image: str) -> str:
    """`registry:5000/app:tag` → `registry:5000/app`."""
    head, slash, last = image.rpartition("/")
    return head + slash + last.partition(":")[0]
