"""`spec.output`: where the image goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from imagebuild.api.output import COMMIT, Output
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.status import Run, timestamp
from imagebuild.contract import plan
from imagebuild.core.attestations import attested
from imagebuild.core.part import Part, PlanFields

_HUB = "docker.io"


def output(spec: ImageBuildSpec, run: Run, *, retried: bool = False) -> Part:
    """Fills {run}; the other placeholders are for the runner, who knows the commit."""

    def numbered(texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(text.replace("{run}", str(run.number)) for text in texts)

    args = tuple(word for opt in _options(spec.output) for word in ("--opt", opt))
    images, labels = numbered(spec.output.images or ()), numbered(_labels(spec.output))
    if not images:
        return Part(plan=PlanFields(output=replace(_at(spec.output), labels=labels)), args=args)
    if_exists = spec.output.if_exists or plan.IfExists.OVERWRITE
    wanted = replace(
        _at(spec.output),
        images=images,
        attributes=numbered(_attributes(spec.output)),
        labels=labels,
        if_exists=if_exists,
        inputs=_inputs(run),
        retried=retried,
    )
    return Part(plan=PlanFields(output=wanted), args=args)


def _inputs(run: Run) -> str:
    """Who asks for a rebuild wants another image than the one from before, and gets it once for each time asked."""
    return f"{run.inputs_hash} {timestamp(run.rebuild_at)}" if run.rebuild_at else run.inputs_hash


def _labels(wanted: Output) -> Iterator[str]:
    for key, value in sorted((wanted.labels or {}).items()):
        yield f"{key}={value}"


def _at(wanted: Output) -> plan.Output:
    """A build at this time."""
    epoch = wanted.source_date_epoch
    return plan.Output(commit_time=True) if epoch == COMMIT else plan.Output(time=epoch)


def _options(wanted: Output) -> Iterator[str]:
    """Of BuildKit's Dockerfile frontend."""
    if wanted.source_date_epoch not in (None, COMMIT):
        yield f"build-arg:SOURCE_DATE_EPOCH={wanted.source_date_epoch}"


def _attributes(wanted: Output) -> Iterator[str]:
    """Of BuildKit's image exporter."""
    if wanted.compression is not None:
        yield f"compression={wanted.compression.type.lower()}"
        if wanted.compression.level is not None:
            yield f"compression-level={wanted.compression.level}"
    if wanted.source_date_epoch is not None:
        yield "rewrite-timestamp=true"
    for key, value in sorted((wanted.annotations or {}).items()):
        yield f"annotation.{key}={value}"
        if attested(wanted):
            yield f"annotation-index.{key}={value}"


def repository(image: str) -> str:
    """`registry:5000/app:tag` → `registry:5000/app`."""
    head, slash, last = image.rpartition("/")
    return head + slash + last.partition(":")[0]


def normalized(image: str) -> str:
    """Host and repository, as BuildKit compares them: `docker/dockerfile:1` is `docker.io/docker/dockerfile`."""
    name = repository(image.partition("@")[0])
    host, slash, rest = name.partition("/")
    if not slash or not (any(sign in host for sign in ".:") or host == "localhost" or host != host.lower()):
        host, rest = _HUB, name
    if host == f"index.{_HUB}":
        host = _HUB
    return f"{host}/{rest if host != _HUB or '/' in rest else f'library/{rest}'}"
