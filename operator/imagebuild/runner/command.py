"""The plan and what the pod found out, as the command line of `buildctl build`. No shell, no I/O."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from imagebuild.contract.plan import INPUTS_ANNOTATION, IfExists, Plan
from imagebuild.contract.record import record
from imagebuild.runner import frontend
from imagebuild.runner.cacherefs import CacheRefs

__all__ = ["Inputs", "buildctl", "made_from"]

_REGISTRY_CACHE = "mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true"
"""ignore-error: a cache that cannot be written is no reason to fail a pushed image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Where things are, for one run of buildctl."""

    address: str
    context: Path
    dockerfile: Path
    """Its directory."""
    filename: str
    trace: Path
    metadata: Path
    contexts: tuple[tuple[str, Path], ...] = ()
    """Named ones: names and directories."""


def made_from(plan: Plan, fetched: str, machine: str) -> str:
    """What an image is made from, as one word for its annotation; empty where nobody looks for it. `fetched`: the
    commits, or digests of what was fetched. `machine`: its architecture, which is the image's where none is asked
    for."""
    if plan.output.if_exists is IfExists.OVERWRITE or not plan.output.inputs:
        return ""
    return hashlib.sha256(f"{plan.output.inputs}\0{fetched}\0{plan.platform or machine}".encode()).hexdigest()


def buildctl(plan: Plan, inputs: Inputs, refs: tuple[str, ...], cache: CacheRefs, made_from: str = "") -> list[str]:
    imports = (("--import-cache", f"type=registry,ref={ref}") for ref in cache.imports)
    export = ("--export-cache", _cache(plan, cache.export)) if cache.export else ()
    return [
        "buildctl",
        f"--addr={inputs.address}",
        "build",
        *frontend.options(plan),
        "--progress=plain",
        f"--trace={inputs.trace}",
        f"--metadata-file={inputs.metadata}",
        f"--local=context={inputs.context}",
        f"--local=dockerfile={inputs.dockerfile}",
        "--opt",
        f"filename={inputs.filename}",
        *_contexts(inputs.contexts),
        *plan.args,
        *(word for label in plan.output.labels for word in ("--opt", f"label:{label}")),
        *(("--output", _output(plan, refs, made_from)) if refs else ()),
        *(word for pair in imports for word in pair),
        *(word for other in cache.others for word in ("--import-cache", other)),
        *export,
    ]


def _contexts(named: tuple[tuple[str, Path], ...]) -> list[str]:
    """By their place: a name may hold what the name of a local directory may not."""
    return [
        word
        for number, (name, path) in enumerate(named)
        for word in (f"--local=context-{number}={path}", "--opt", f"context:{name}=local:context-{number}")
    ]


def _cache(plan: Plan, ref: str) -> str:
    compression = plan.cache.compression if plan.cache else "zstd"
    return f"type=registry,ref={ref},compression={compression},{_REGISTRY_CACHE}"


def _output(plan: Plan, refs: tuple[str, ...], made_from: str) -> str:
    fields = ["type=image", f"name={','.join(refs)}", "push=true", "oci-mediatypes=true", *plan.output.attributes]
    if made_from:
        fields.append(f"annotation.{INPUTS_ANNOTATION}={made_from}")
    return record(fields)
