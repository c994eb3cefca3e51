"""`output.provenance` and `output.sbom`: documents about an image, which BuildKit puts beside it into an index."""

from __future__ import annotations

from imagebuild.api.config import OperatorConfig
from imagebuild.api.output import Output, Provenance
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.core.part import Part


def attested(output: Output) -> bool:
    """The image becomes an index with the image and the documents in it."""
    return bool(output.images) and (bool(output.sbom) or _provenance(output) is not Provenance.NONE)


def attestations(spec: ImageBuildSpec, config: OperatorConfig) -> Part:
    if not attested(spec.output):
        return Part()
    asked, provenance = [], _provenance(spec.output)
    if provenance is not Provenance.NONE:
        asked.append(f"attest:provenance=mode={provenance.lower()}")
    if spec.output.sbom:
        asked.append(f"attest:sbom=generator={config.sbom_scanner}")
    return Part(args=tuple(word for opt in asked for word in ("--opt", opt)))


def missing_scanner(spec: ImageBuildSpec, config: OperatorConfig) -> str:
    """Why this operator cannot do it; empty where it can."""
    if spec.output.sbom and not config.sbom_scanner:
        return "output.sbom: the operator's configuration names no image that makes one (sbomScanner)"
    return ""


def _provenance(output: Output) -> Provenance:
    return output.provenance or Provenance.NONE
