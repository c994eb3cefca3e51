"""`spec.source`: what the runner fetches, or the volume that holds the build context."""

from __future__ import annotations

from dataclasses import replace

from imagebuild.api.model import SecretReference
from imagebuild.api.source import ConfigMapSource, GitSource, HttpSource, VolumeSource
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.status import SourceStatus
from imagebuild.contract import layout, plan
from imagebuild.core.part import Part, PlanFields, secret_volume, volume

_HEADS = "refs/heads/"


def source(spec: ImageBuildSpec, built_before: SourceStatus | None = None) -> Part:
    given = spec.source
    if given is None:
        return Part()
    part = Part(plan=PlanFields(path=given.path)) if given.path else Part()
    if given.git is not None:
        git, secret = git_source(given.git, "source")
        part += Part(plan=PlanFields(git=_pinned(git, built_before))) + secret
    if given.http is not None:
        http, secret = http_source(given.http, "source")
        part += Part(plan=PlanFields(http=http)) + secret
    if given.oci is not None:
        part += Part(plan=PlanFields(oci=plan.OciSource(image=given.oci.image)))
    if given.volume is not None:
        part += _volume(given.volume)
    if given.config_map is not None:
        part += _config_map(given.config_map)
    return part


def git_source(git: GitSource, whose: str) -> tuple[plan.GitSource, Part]:
    """`whose` names the place of its Secret."""
    branch, ref = git.branch, git.ref
    if git.tag is not None:
        ref = f"refs/tags/{git.tag}"
    if ref is not None and ref.startswith(_HEADS):
        branch, ref = ref.removeprefix(_HEADS), None
    mount, secret = _secret(git.secret_ref, whose)
    return plan.GitSource(
        url=git.url,
        branch=branch,
        ref=ref,
        commit=git.commit,
        secret=mount,
        submodules=bool(git.submodules),
        keep_git_dir=bool(git.keep_git_dir),
    ), secret


def http_source(http: HttpSource, whose: str) -> tuple[plan.HttpSource, Part]:
    mount, secret = _secret(http.secret_ref, whose)
    return plan.HttpSource(url=http.url, checksum=http.checksum, secret=mount), secret


def _pinned(git: plan.GitSource, built_before: SourceStatus | None) -> plan.GitSource:
    if git.commit is not None or built_before is None or not built_before.commit:
        return git
    # without a branch the earlier attempt asked the remote for its default one, which may have changed
    branch = git.branch or (built_before.branch if git.ref is None else None)
    return replace(git, branch=branch, commit=built_before.commit, pinned=True)


def _secret(reference: SecretReference | None, whose: str) -> tuple[plan.Mount | None, Part]:
    if reference is None:
        return None, Part()
    mount = plan.Mount(name=reference.name, path=f"{layout.SOURCE_SECRETS_DIR}/{whose}")
    return mount, secret_volume(f"{whose}-secret", mount.path, reference.name)


def _volume(claim: VolumeSource) -> Part:
    # read-only for the volume, too: the kubelet then leaves the owner of the claim's files alone
    mounted = {"persistentVolumeClaim": {"claimName": claim.claim_name, "readOnly": True}}
    part = Part(plan=PlanFields(volume=plan.Mount(name=claim.claim_name, path=layout.SOURCE_DIR)))
    return part + volume("source", layout.SOURCE_DIR, mounted)


def _config_map(config_map: ConfigMapSource) -> Part:
    # optional: a missing one is reported by the runner within a second; without it the kubelet would only log it
    mounted = volume("source", layout.SOURCE_DIR, {"configMap": {"name": config_map.name, "optional": True}})
    return Part(plan=PlanFields(directory=plan.Mount(name=config_map.name, path=layout.SOURCE_DIR))) + mounted
