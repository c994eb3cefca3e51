"""An ImageBuild as the operator keeps it: parsed once, at the border, from the document the API server sends."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

from pydantic import ValidationError

from imagebuild.api.model import Model
from imagebuild.api.names import (
    ANNOTATION_CANCEL,
    ANNOTATION_DONE_AT,
    ANNOTATION_REBUILD_AT,
    ANNOTATION_TRACEPARENT,
)
from imagebuild.api.spec import INPUTS, NEUTRAL, ImageBuildSpec
from imagebuild.api.status import ImageBuildStatus
from imagebuild.contract import spans

_TRACKED = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "app.kubernetes.io/instance": "Argo CD or Helm",  # Argo CD's default before 3.0
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}
"""Labels and annotations by which tools know what they keep. They create again what somebody else deletes."""


_NUMBER_DIGITS = 10
_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBuild:
    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    created_at: datetime
    deleting: bool
    inputs: Mapping[str, Any]
    """The build inputs as written."""
    spec: ImageBuildSpec | None
    """None where `problem` says why."""
    problem: str
    unknown_fields: tuple[str, ...]
    """Fields of the spec that this operator does not know; the CRD is newer than the operator."""
    rebuild_at: datetime | None
    done_at: datetime | None
    cancelled_run: int | None
    """The run that the annotation cancels, whether or not there is such a run."""
    trace_parent: spans.Parent | None
    """The span that the annotation names."""
    warnings: tuple[str, ...]
    """Annotations of ours that say nothing."""
    kept_by: str
    """The tool that would create this ImageBuild again if it were deleted; empty where none has left its mark."""
    status: ImageBuildStatus
    unread: bool
    """There is more in the status than this version can read: another one has written it."""

    @property
    def finished(self) -> bool:
        """The last run seen is over; whether a new one is due is another question."""
        return self.status.over


def parse(document: Mapping[str, Any]) -> ImageBuild:
    """Reads any document the API server can hold. A spec that cannot be read is a `problem`; what of a status cannot be
    read is left out."""
    meta, written = document["metadata"], document.get("spec") or {}
    annotations, labels = meta.get("annotations") or {}, meta.get("labels") or {}
    spec, problem = _spec(written)
    status, unread = _status(document.get("status") or {})
    return ImageBuild(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        generation=meta["generation"],
        resource_version=meta["resourceVersion"],
        created_at=datetime.fromisoformat(meta["creationTimestamp"]),
        deleting="deletionTimestamp" in meta,
        inputs={key: _input(key, written[key]) for key in INPUTS if key in written},
        spec=spec,
        problem=problem,
        unknown_fields=tuple(unknown_fields(ImageBuildSpec, written)),
        rebuild_at=moment(annotations.get(ANNOTATION_REBUILD_AT)),
        done_at=moment(annotations.get(ANNOTATION_DONE_AT)),
        cancelled_run=_number(annotations.get(ANNOTATION_CANCEL, "")),
        trace_parent=spans.parent(annotations.get(ANNOTATION_TRACEPARENT, "")),
        warnings=tuple(_warnings(annotations)),
        kept_by=next((tool for mark, tool in _TRACKED.items() if mark in annotations or mark in labels), ""),
        status=status,
        unread=unread,
    )


def _input(name: str, written: Any) -> Any:
    """Without what says nothing of the image, so that it can change without a rebuild."""
    if isinstance(written, Mapping) and name in NEUTRAL:
        return {key: value for key, value in written.items() if key not in NEUTRAL[name]}
    return written


def _warnings(annotations: Mapping[str, str]) -> Iterator[str]:
    for name in (ANNOTATION_REBUILD_AT, ANNOTATION_DONE_AT):
        if name in annotations and moment(annotations[name]) is None:
            yield f"{name}: {annotations[name][:_SHOWN]!r} is not a time such as 2026-11-24T12:00:00Z"
    if (written := annotations.get(ANNOTATION_CANCEL)) is not None and _number(written) is None:
        yield f"{ANNOTATION_CANCEL}: {written[:_SHOWN]!r} is not the number of a run"
    if (written := annotations.get(ANNOTATION_TRACEPARENT)) is not None and spans.parent(written) is None:
        yield f"{ANNOTATION_TRACEPARENT}: {written[:_SHOWN]!r} is not 00-TRACE-SPAN-01; the trace stands for itself"


def _number(written: str) -> int | None:
    """Of a text that somebody wrote by hand; anything else is none."""
    return int(written) if written.isascii() and written.isdecimal() and len(written) < _NUMBER_DIGITS else None


def unknown_fields(model: type[Model], written: Mapping[str, Any], path: str = "spec") -> list[str]:
    """Paths of keys that the model does not have. The keys of maps are the user's."""
    found = []
    known = known_fields(model)
    for key, value in written.items():
        if key not in known:
            found.append(f"{path}.{key}")
        elif (inner := known[key]) is not None:
            for place, item in _objects(value):
                found += unknown_fields(inner, item, f"{path}.{key}{place}")
    return found


@functools.cache
def known_fields(model: type[Model]) -> dict[str, type[Model] | None]:
    """Its keys, and the model that is in each, if there is one."""
    return {field.alias or name: _model_in(field.annotation) for name, field in model.model_fields.items()}


def _objects(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """An object, or those of a list with their places in it."""
    items = [(f"[{place}]", item) for place, item in enumerate(value)] if isinstance(value, list) else [("", value)]
    return ((place, item) for place, item in items if isinstance(item, Mapping))


def _model_in(annotation: Any) -> type[Model] | None:
    """Of a field that holds one, perhaps none, or a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def _spec(written: Mapping[str, Any]) -> tuple[ImageBuildSpec | None, str]:
    if where := _nul(written, "spec"):
        return None, f"{where}: has a NUL character, which no program can be given; binary data belongs into the source"
    try:
        return ImageBuildSpec.model_validate(written), ""
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(["spec", *(str(part) for part in first["loc"])])
        return None, f"{where}: {first['msg']}"


def _nul(value: Any, path: str) -> str:
    """Where a text has a NUL, which the API server takes and neither a command line nor a file name can hold."""
    match value:
        case str():
            return path if "\0" in value else ""
        case Mapping():
            found = (_nul(key, path) or _nul(item, f"{path}.{key}") for key, item in value.items())
        case list():
            found = (_nul(item, f"{path}[{place}]") for place, item in enumerate(value))
        case _:
            return ""
    return next(filter(None, found), "")


def _status(written: Any) -> tuple[ImageBuildStatus, bool]:
    """And whether it is not all of it. Only another version of this operator writes what this one cannot read, such as
    a reason that is new; the run that it is about was built all the same. Without that the pods have to tell."""
    try:
        return ImageBuildStatus.model_validate(written), False
    except ValidationError as error:
        unread = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
    if not unread or "run" in unread:
        return ImageBuildStatus(), False
    rest = {key: value for key, value in written.items() if key not in unread}
    return ImageBuildStatus.model_validate(rest), True


def moment(text: str | None) -> datetime | None:
    """Of an RFC 3339 text that somebody wrote by hand; anything else is none."""
    try:
        found = datetime.fromisoformat(text or "")
        return found.astimezone(UTC) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
